"""Reads interactions from files. Every error is one sentence that names the file and the row or line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from recommender.dataset.dataset import Dataset
from recommender.dataset.table_files import TABLE_SUFFIXES, read_table, require_columns
from recommender.types import DataError, Float32Array, Int64Array
from tenants.common.event_kinds import EVENT_KIND_WEIGHTS, UNKNOWN_KIND_WEIGHT

# Seconds since 1970 stay below this until the year 5138; milliseconds are above it since March 1973.
MAX_EPOCH_SECONDS = 100_000_000_000
MAX_EPOCH_MS = 253_402_300_799_999


def read_interactions(path: Path, texts: Mapping[str, str] | None = None) -> Dataset:
    """Reads `user item item ...` lines in time order, or a table (CSV, Parquet, .inter) with one event per row.

    The columns of a table are user_id, item_id, and optionally timestamp, rating, kind and is_last. Timestamps are
    seconds or milliseconds since 1970, or ISO dates; rows of equal time keep their order. The weight of an event is its
    rating, else the weight of its kind; rows without a positive weight are ignored. Without timestamps, is_last (1 or 0)
    may mark the latest event of each user where nothing else is known of the order: the other events are shuffled with a
    fixed seed, so that their order carries no information, and the data set is not `is_ordered`.

    Args:
        path: the file.
        texts: text by item id; its items are added to the catalogue.

    Raises:
        DataError: the file cannot be read, or a value is invalid.
    """
    if path.suffix.lower() in TABLE_SUFFIXES:
        return _read_event_table(path, texts)
    return _read_sequences(path, texts)


def _read_sequences(path: Path, texts: Mapping[str, str] | None) -> Dataset:
    users: list[str] = []
    items: list[str] = []
    seen_users: set[str] = set()
    for number, line in enumerate(_read_lines(path), start=1):
        fields = line.split()
        if not fields:
            continue
        user, *history = fields
        if not history:
            raise DataError(f"{path.name}, line {number}: a user must be followed by at least one item.")
        if user in seen_users:
            raise DataError(f"{path.name}, line {number}: user {user!r} already had a line.")
        seen_users.add(user)
        users.extend([user] * len(history))
        items.extend(history)
    if not users:
        raise DataError(f"{path.name} holds no interactions.")
    return Dataset.from_events(users, items, texts=texts)


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 text (byte {error.start}).") from error


def _read_event_table(path: Path, texts: Mapping[str, str] | None) -> Dataset:
    frame = read_table(path)
    is_ordered = "is_last" not in frame.columns or "timestamp" in frame.columns
    if not is_ordered:
        frame = _shuffle_all_but_last(path, frame)
    require_columns(path, frame, ("user_id", "item_id"))
    weight = _parse_weights(path, frame)
    frame = frame.filter(pl.Series(weight > 0))
    if frame.is_empty():
        raise DataError(f"{path.name} holds no interactions.")
    timestamp = None
    if "timestamp" in frame.columns:
        timestamp = _parse_timestamps(path, frame)
    dataset = Dataset.from_events(
        _parse_ids(path, frame, "user_id"),
        _parse_ids(path, frame, "item_id"),
        timestamp=timestamp,
        weight=weight[weight > 0],
        texts=texts,
    )
    return replace(dataset, is_ordered=is_ordered)


def _shuffle_all_but_last(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows in random order (fixed seed), then the rows that is_last marks."""
    is_last = _parse_numbers(path, frame, "is_last", lambda numbers: numbers.is_in([0.0, 1.0]))
    shuffled = frame.with_columns(is_last).sample(fraction=1, shuffle=True, seed=0)
    return shuffled.sort("is_last", maintain_order=True)


def _parse_ids(path: Path, frame: pl.DataFrame, column: str) -> list[str]:
    values = frame[column].cast(pl.String)
    is_empty = values.is_null() | (values == "")
    if is_empty.any():
        row = _find_first_row(is_empty)
        raise DataError(f"{path.name}, row {row}: {column} is empty.")
    return list(values)


def _parse_weights(path: Path, frame: pl.DataFrame) -> Float32Array:
    if "rating" in frame.columns:
        ratings = _parse_numbers(path, frame, "rating", lambda numbers: numbers.is_finite())
        return np.asarray(ratings.to_numpy(), dtype=np.float32)
    if "kind" in frame.columns:
        weights = [EVENT_KIND_WEIGHTS.get(str(kind), UNKNOWN_KIND_WEIGHT) for kind in frame["kind"]]
        return np.array(weights, dtype=np.float32)
    return np.ones(frame.height, np.float32)


def _parse_numbers(
    path: Path,
    frame: pl.DataFrame,
    column: str,
    is_valid: Callable[[pl.Series], pl.Series],
) -> pl.Series:
    """The column as float64. Raises DataError for the first value that is no number or not valid."""
    numbers = frame[column].cast(pl.Float64, strict=False)
    # Nulls are replaced before the check, because a check of null is null.
    is_wrong = numbers.is_null() | ~is_valid(numbers.fill_null(0.0))
    if is_wrong.any():
        row = _find_first_row(is_wrong)
        value = frame[column][row - 1]
        raise DataError(f"{path.name}, row {row}: {column} {value!r} is not a usable number.")
    return numbers


def _parse_timestamps(path: Path, frame: pl.DataFrame) -> Int64Array:
    """Milliseconds since 1970, int64 (rows,)."""
    column = frame["timestamp"]
    if column.dtype == pl.String:
        dates = column.str.to_datetime(
            strict=False,
            time_zone="UTC",
            time_unit="ms",
        )
        # Text that is no date may still be a number.
        if not dates.is_null().any():
            return _to_epoch_ms(dates)
    elif column.dtype in (pl.Date, pl.Datetime) and not column.is_null().any():
        return _to_epoch_ms(column.cast(pl.Datetime("ms")))
    valid_range = (0, MAX_EPOCH_MS)
    numbers = _parse_numbers(path, frame, "timestamp", lambda series: series.is_between(*valid_range))
    timestamps = numbers.to_numpy()
    milliseconds_per_unit = 1000 if timestamps.max() < MAX_EPOCH_SECONDS else 1
    return np.asarray(timestamps * milliseconds_per_unit).astype(np.int64)


def _to_epoch_ms(dates: pl.Series) -> Int64Array:
    milliseconds = dates.dt.epoch("ms")
    return np.asarray(milliseconds.to_numpy(), dtype=np.int64)


def _find_first_row(mask: pl.Series) -> int:
    """The first row where the mask is True, counted from one."""
    return int(mask.arg_true()[0]) + 1
