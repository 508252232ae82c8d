"""Symmetric int8 quantisation with one scale per row: value = code * scale. Only numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from recommender.types import Float32Array, Int64Array

# Codes run from -127 to 127: without -128 the range is symmetric and needs no zero point.
INT8_MAX = 127
Int8Array = np.ndarray[Any, np.dtype[np.int8]]


def compute_scales(max_abs: Float32Array) -> Float32Array:
    """Computes the scale of each row from its greatest absolute value; one for a row of zeros."""
    return np.where(max_abs > 0, max_abs / INT8_MAX, 1).astype(np.float32)


def quantize_rows(values: Float32Array) -> tuple[Int8Array, Float32Array]:
    """Quantises a matrix row by row: codes int8 (rows, columns) and scales float32 (rows).

    Each value is rounded to the nearest multiple of its row's scale.
    """
    scales = compute_scales(np.abs(values).max(axis=1, initial=0))
    return _round_to_codes(values, scales[:, None]), scales


def dequantize(
    values: np.ndarray[Any, Any],
    scale: Float32Array | None,
) -> Float32Array:
    """Restores float32 values.

    Args:
        values: Codes of any shape (..., columns), or unquantised values.
        scale: The scales of the rows, shape values.shape[:-1], or None for unquantised values.

    Returns:
        float32, the shape of `values`; unquantised values unchanged.
    """
    restored = values
    if scale is not None:
        restored = values * scale[..., None]
    return np.asarray(restored, dtype=np.float32)


def quantize_csr_rows(
    values: Float32Array,
    indptr: Int64Array,
) -> tuple[Int8Array, Float32Array]:
    """Quantises the data array of a CSR matrix: codes int8 (entries) and scales float32 (rows).

    Row i holds values[indptr[i]:indptr[i + 1]].
    """
    lengths = np.diff(indptr)
    row_of_entry = np.repeat(np.arange(len(lengths)), lengths)
    max_abs = np.zeros(len(lengths), np.float32)
    # Unbuffered: a row occurs once for each of its entries.
    np.maximum.at(max_abs, row_of_entry, np.abs(values))
    scales = compute_scales(max_abs)
    return _round_to_codes(values, np.repeat(scales, lengths)), scales


def cast_indices(
    indices: np.ndarray[Any, Any],
    n_columns: int,
) -> np.ndarray[Any, Any]:
    """Casts column numbers below `n_columns` to uint16 if they fit, else to int32."""
    dtype = np.uint16 if n_columns <= 1 << 16 else np.int32
    return indices.astype(dtype)


def _round_to_codes(
    values: Float32Array,
    scale: Float32Array,
) -> Int8Array:
    return np.asarray(np.rint(values / scale), dtype=np.int8)
