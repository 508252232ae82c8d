"""`python -m lepton_platform.demo.convert SOURCE OUT`: rebuilds the demo's Parquet files. Needs no database."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from lepton_platform.demo.convert import convert_datasets


def main() -> None:
    """Prints one line for each data set."""
    parser = ArgumentParser(prog="python -m lepton_platform.demo.convert", description=__doc__)
    parser.add_argument("source", type=Path, help="a folder with one folder for each data set")
    parser.add_argument("out", type=Path, help="where the Parquet files go")
    options = parser.parse_args()
    for line in convert_datasets(options.source, options.out):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
