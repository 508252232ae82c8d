"""CSV, Parquet and RecBole's tab-separated files as frames, with one-sentence faults."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recommender.types import DataError

TABLE_SUFFIXES = frozenset({".csv", ".parquet", ".inter"})


def read_table(path: Path) -> pl.DataFrame:
    """All columns of a .csv or .inter (text columns) or .parquet file. Raises DataError.

    An .inter file has tabs between, and its head says `name:type`; the type is left out."""
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        if path.suffix.lower() == ".inter":
            frame = pl.read_csv(path, separator="\t", infer_schema=False, quote_char=None)
            return frame.rename(lambda name: name.split(":")[0])
        return pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as fault:
        reason = str(fault).strip().splitlines()[0] if str(fault).strip() else type(fault).__name__
        raise DataError(f"{path.name} cannot be read as {path.suffix[1:].upper()}: {reason}") from fault
