"""`python -m recommender.evaluation`: the evaluate command without Django."""

import argparse
import sys

from recommender.benchmarks.cli import add_evaluation_arguments, run_evaluation
from recommender.types import DataError

parser = argparse.ArgumentParser(prog="recommender.evaluation")
add_evaluation_arguments(parser)
try:
    run_evaluation(parser.parse_args(), out=sys.stdout, progress=sys.stderr)
except DataError as fault:
    sys.exit(str(fault))
