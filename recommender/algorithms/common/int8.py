"""Numbers in one byte each, with one step for each row: what served models are stored as."""

from __future__ import annotations

from typing import Any

import numpy as np

from recommender.types import Float32Array, Int64Array

INT8_MAX = 127
Int8Array = np.ndarray[Any, np.dtype[np.int8]]


def compute_scales(max_abs: Float32Array) -> Float32Array:
    """The value of one unit in a row whose values reach `greatest` in size; one for a row of zeros."""
    return np.where(max_abs > 0, max_abs / INT8_MAX, 1).astype(np.float32)


def quantize_rows(values: Float32Array) -> tuple[Int8Array, Float32Array]:
    """int8 (rows, columns) and step float32 (rows): each value to the nearest multiple of its row's step."""
    step = compute_scales(np.abs(values).max(axis=1, initial=0))
    return _quantize_values(values, step[:, None]), step


def dequantize(values: np.ndarray[Any, Any], scale: Float32Array | None) -> Float32Array:
    """float32 of what narrow_rows() made, or of some of its rows; values without a step are what they are."""
    wide = values if scale is None else values * scale[..., None]
    return np.asarray(wide, dtype=np.float32)


def quantize_csr_rows(values: Float32Array, indptr: Int64Array) -> tuple[Int8Array, Float32Array]:
    """The same for rows of different lengths: row i is values[start[i]:start[i + 1]]."""
    lengths = np.diff(indptr)
    greatest = np.zeros(len(lengths), np.float32)
    np.maximum.at(greatest, np.repeat(np.arange(len(lengths)), lengths), np.abs(values))
    step = compute_scales(greatest)
    return _quantize_values(values, np.repeat(step, lengths)), step


def cast_indices(indices: np.ndarray[Any, Any], n_columns: int) -> np.ndarray[Any, Any]:
    """Column numbers below `width` in two bytes where they fit."""
    return indices.astype(np.uint16 if n_columns <= 1 << 16 else np.int32)


def _quantize_values(values: Float32Array, scale: Float32Array) -> Int8Array:
    return np.asarray(np.rint(values / scale), dtype=np.int8)
