"""`python -m recommender.evaluation`: the evaluate command without Django."""

import argparse
import sys

from recommender.evaluation.command import add_arguments, run
from recommender.types import DataError

parser = argparse.ArgumentParser(prog="recommender.evaluation")
add_arguments(parser)
try:
    run(parser.parse_args(), out=sys.stdout, progress=sys.stderr)
except DataError as fault:
    sys.exit(str(fault))
