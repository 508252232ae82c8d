"""CSV and Parquet as frames, with one-sentence faults."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recommender.types import DataError


def read_table(path: Path) -> pl.DataFrame:
    """All columns of a .csv (text columns) or .parquet file. Raises DataError."""
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as fault:
        reason = str(fault).strip().splitlines()[0] if str(fault).strip() else type(fault).__name__
        raise DataError(f"{path.name} cannot be read as {path.suffix[1:].upper()}: {reason}") from fault
