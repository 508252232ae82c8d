"""Interactions from files. Every fault is one sentence naming the file and the place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from common.event_kinds import EVENT_KIND_WEIGHTS, UNKNOWN_KIND_WEIGHT
from recommender.dataset.dataset import Dataset
from recommender.dataset.table_files import TABLE_SUFFIXES, read_table
from recommender.types import DataError, Float32Array, Int64Array

# Seconds since 1970 stay below this until the year 5138; milliseconds are above it since March 1973.
MAX_EPOCH_SECONDS = 100_000_000_000
MAX_EPOCH_MS = 253_402_300_799_999


def read_interactions(path: Path, texts: Mapping[str, str] | None = None) -> Dataset:
    """`user item item ...` lines in time order, or CSV/Parquet/.inter: user_id, item_id[, timestamp, rating, kind].

    Timestamps are seconds or milliseconds since 1970, or ISO dates; rows of equal time keep their order. Without
    them a column is_last may mark each user's latest row (1), where nothing else of the order is known: the others are
    put in an order drawn once and for all, so that none of them is special, and the dataset is not `ordered`. A
    row's weight is its rating, else that of its kind; rows without a positive weight are left out. `texts`
    gives the text of each item and extends the catalogue."""
    if path.suffix.lower() in TABLE_SUFFIXES:
        return _read_event_table(path, texts)
    return _read_sequences(path, texts)


def _read_sequences(path: Path, texts: Mapping[str, str] | None) -> Dataset:
    users: list[str] = []
    items: list[str] = []
    seen: set[str] = set()
    for number, line in enumerate(_read_lines(path), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) < 2:
            raise DataError(f"{path.name}, line {number}: a user must be followed by at least one item.")
        if fields[0] in seen:
            raise DataError(f"{path.name}, line {number}: user {fields[0]!r} already had a line.")
        seen.add(fields[0])
        users.extend([fields[0]] * (len(fields) - 1))
        items.extend(fields[1:])
    if not users:
        raise DataError(f"{path.name} holds no interactions.")
    return Dataset.from_events(users, items, texts=texts)


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as fault:
        raise DataError(f"{path} cannot be read: {fault.strerror}.") from fault
    except UnicodeDecodeError as fault:
        raise DataError(f"{path.name} is not UTF-8 text (byte {fault.start}).") from fault


def _read_event_table(path: Path, texts: Mapping[str, str] | None) -> Dataset:
    frame = read_table(path)
    ordered = "is_last" not in frame.columns or "timestamp" in frame.columns
    if not ordered:
        last = _parse_numbers(path, frame, "is_last", lambda v: v.is_in([0.0, 1.0]))
        drawn = frame.with_columns(last).sample(fraction=1, shuffle=True, seed=0)
        frame = drawn.sort("is_last", maintain_order=True)
    missing = [name for name in ("user_id", "item_id") if name not in frame.columns]
    if missing:
        raise DataError(f"{path.name} lacks the column {missing[0]}; it has {', '.join(frame.columns)}.")
    weight = _parse_weights(path, frame)
    kept = frame.filter(pl.Series(weight > 0))
    if kept.is_empty():
        raise DataError(f"{path.name} holds no interactions.")
    dataset = Dataset.from_events(
        _parse_ids(path, kept, "user_id"),
        _parse_ids(path, kept, "item_id"),
        timestamp=_parse_timestamps(path, kept) if "timestamp" in kept.columns else None,
        weight=weight[weight > 0],
        texts=texts,
    )
    return replace(dataset, is_ordered=ordered)


def _parse_ids(path: Path, frame: pl.DataFrame, column: str) -> list[str]:
    values = frame[column].cast(pl.String)
    empty = values.is_null() | (values == "")
    if empty.any():
        raise DataError(f"{path.name}, row {_find_first_row(empty)}: {column} is empty.")
    return list(values)


def _parse_weights(path: Path, frame: pl.DataFrame) -> Float32Array:
    if "rating" in frame.columns:
        return _parse_numbers(path, frame, "rating", lambda v: v.is_finite()).to_numpy().astype(np.float32)
    if "kind" in frame.columns:
        return np.array(
            [EVENT_KIND_WEIGHTS.get(str(kind), UNKNOWN_KIND_WEIGHT) for kind in frame["kind"]],
            dtype=np.float32,
        )
    return np.ones(frame.height, np.float32)


def _parse_numbers(
    path: Path, frame: pl.DataFrame, column: str, is_valid: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    numbers = frame[column].cast(pl.Float64, strict=False)
    wrong = numbers.is_null() | ~is_valid(numbers.fill_null(0.0))
    if wrong.any():
        row = _find_first_row(wrong)
        raise DataError(
            f"{path.name}, row {row}: {column} {frame[column][row - 1]!r} is not a usable number."
        )
    return numbers


def _parse_timestamps(path: Path, frame: pl.DataFrame) -> Int64Array:
    """Milliseconds since 1970."""
    column = frame["timestamp"]
    if column.dtype == pl.String:
        dates = column.str.to_datetime(strict=False, time_zone="UTC", time_unit="ms")
        if not dates.is_null().any():
            return np.asarray(dates.dt.epoch("ms").to_numpy(), dtype=np.int64)
    elif column.dtype in (pl.Date, pl.Datetime) and not column.is_null().any():
        return np.asarray(column.cast(pl.Datetime("ms")).dt.epoch("ms").to_numpy(), dtype=np.int64)
    numbers = _parse_numbers(path, frame, "timestamp", lambda v: v.is_between(0, MAX_EPOCH_MS)).to_numpy()
    scale = 1000 if numbers.max() < MAX_EPOCH_SECONDS else 1
    return np.asarray(numbers * scale).astype(np.int64)


def _find_first_row(mask: pl.Series) -> int:
    """The first marked row, counted from one."""
    return int(mask.arg_true()[0]) + 1
