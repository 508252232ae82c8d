"""Numbers in one byte each, with one step for each row: what served models are stored as."""

from __future__ import annotations

from typing import Any

import numpy as np

from recommender.types import Floats, Longs

GREATEST = 127
Bytes = np.ndarray[Any, np.dtype[np.int8]]


def steps_of(greatest: Floats) -> Floats:
    """The value of one unit in a row whose values reach `greatest` in size; one for a row of zeros."""
    return np.where(greatest > 0, greatest / GREATEST, 1).astype(np.float32)


def narrow_rows(values: Floats) -> tuple[Bytes, Floats]:
    """int8 (rows, columns) and step float32 (rows): each value to the nearest multiple of its row's step."""
    step = steps_of(np.abs(values).max(axis=1, initial=0))
    return _narrow(values, step[:, None]), step


def widened(values: np.ndarray[Any, Any], step: Floats | None) -> Floats:
    """float32 of what narrow_rows() made, or of some of its rows; values without a step are what they are."""
    wide = values if step is None else values * step[..., None]
    return np.asarray(wide, dtype=np.float32)


def narrow_ragged(values: Floats, start: Longs) -> tuple[Bytes, Floats]:
    """The same for rows of different lengths: row i is values[start[i]:start[i + 1]]."""
    lengths = np.diff(start)
    greatest = np.zeros(len(lengths), np.float32)
    np.maximum.at(greatest, np.repeat(np.arange(len(lengths)), lengths), np.abs(values))
    step = steps_of(greatest)
    return _narrow(values, np.repeat(step, lengths)), step


def smallest_columns(columns: np.ndarray[Any, Any], width: int) -> np.ndarray[Any, Any]:
    """Column numbers below `width` in two bytes where they fit."""
    return columns.astype(np.uint16 if width <= 1 << 16 else np.int32)


def _narrow(values: Floats, step: Floats) -> Bytes:
    return np.asarray(np.rint(values / step), dtype=np.int8)
