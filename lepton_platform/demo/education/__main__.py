"""`python -m lepton_platform.demo.education`: prints the evaluation of `evaluation.py`. Needs no database."""

from __future__ import annotations

import sys
from argparse import ArgumentParser

from lepton_platform.demo.education.evaluation import evaluate_education, load_education_data
from lepton_platform.demo.education.report import format_result
from recommender.types import ignore_progress


def main() -> None:
    """Compares the blend with popularity and with the rule "next assessment of this course"."""
    parser = ArgumentParser(prog="python -m lepton_platform.demo.education", description=__doc__)
    parser.add_argument("--profile", choices=("fast", "full"), default="fast")
    parser.add_argument(
        "--test-fraction", type=float, default=0.1, help="fraction of events after the cut-off"
    )
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    dataset, courses = load_education_data()
    result = evaluate_education(
        dataset,
        courses,
        profile=options.profile,
        test_fraction=options.test_fraction,
        k=options.k,
        seed=options.seed,
        report=ignore_progress,
    )
    sys.stdout.write(format_result(result, options.k) + "\n")


if __name__ == "__main__":
    main()
