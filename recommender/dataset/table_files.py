"""Reads CSV, Parquet and RecBole's tab-separated files as data frames."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from recommender.types import DataError

TABLE_SUFFIXES = frozenset({".csv", ".parquet", ".inter"})


def read_table(path: Path) -> pl.DataFrame:
    """All columns of a .csv or .inter file (as text) or of a .parquet file.

    An .inter file is separated by tabs, and its header has `name:type`; the types are removed. Raises DataError.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        if path.suffix.lower() == ".inter":
            frame = pl.read_csv(
                path,
                separator="\t",
                infer_schema=False,
                quote_char=None,
            )
            return frame.rename(lambda name: name.split(":")[0])
        return pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        # Messages of polars have several lines; the first one states the problem.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        file_format = path.suffix[1:].upper()
        raise DataError(f"{path.name} cannot be read as {file_format}: {lines[0]}") from error


def require_columns(path: Path, frame: pl.DataFrame, names: tuple[str, ...]) -> None:
    """Raises DataError for the first missing column."""
    for name in names:
        if name not in frame.columns:
            raise DataError(f"{path.name} lacks the column {name}; it has {', '.join(frame.columns)}.")
