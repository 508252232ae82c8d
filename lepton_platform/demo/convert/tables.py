"""The four tables of a demo tenant and their Parquet files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

ITEM_SCHEMA = {
    "id": pl.String,
    "title": pl.String,
    "description": pl.String,
    "categories": pl.List(pl.String),
    "tags": pl.List(pl.String),
    "language": pl.String,
    "attributes": pl.String,
}
PROFILE_SCHEMA = {"id": pl.String, "language": pl.String, "consent": pl.String, "attributes": pl.String}
EVENT_SCHEMA = {
    "id": pl.String,
    "profile_id": pl.String,
    "item_id": pl.String,
    "kind": pl.String,
    "at": pl.Datetime("ms", "UTC"),
    "value": pl.Float32,
    "scenario": pl.String,
}
REVIEW_SCHEMA = {
    "id": pl.String,
    "item_id": pl.String,
    "rating": pl.Float32,
    "title": pl.String,
    "text": pl.String,
    "language": pl.String,
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "items": ITEM_SCHEMA,
    "profiles": PROFILE_SCHEMA,
    "events": EVENT_SCHEMA,
    "reviews": REVIEW_SCHEMA,
}


@dataclass(frozen=True)
class DemoTables:
    """Tables with the columns of SCHEMAS. `attributes` are JSON text; events are ordered by profile, then time."""

    items: pl.DataFrame
    profiles: pl.DataFrame
    events: pl.DataFrame
    reviews: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REVIEW_SCHEMA))


def cast_to_schema(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """The columns of `table` in order; columns that the frame lacks are null."""
    columns = []
    for name, dtype in SCHEMAS[table].items():
        column = pl.col(name) if name in frame.columns else pl.lit(None)
        columns.append(column.cast(dtype).alias(name))
    return frame.select(columns)


def as_json(values: dict[str, Any]) -> str:
    """A JSON object without null values; keys are sorted, so that the same values give the same bytes."""
    present = {key: value for key, value in values.items() if value is not None}
    return json.dumps(present, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def write_tables(tables: DemoTables, folder: Path) -> None:
    """Writes one Parquet file a table; an empty table has none."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        frame: pl.DataFrame = getattr(tables, name)
        path = folder / f"{name}.parquet"
        # A file of an earlier conversion must not stay.
        if frame.is_empty():
            path.unlink(missing_ok=True)
            continue
        # The files are part of the repository, so their size matters more than the time to write them.
        frame.write_parquet(path, compression="zstd", compression_level=19, statistics=False)
