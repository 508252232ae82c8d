"""Sparse item-to-item scores: each item of a history adds its row, faded by how long ago it was chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from recommender.algorithms.base import Arrays
from recommender.algorithms.common.int8 import cast_indices, quantize_csr_rows
from recommender.types import Float32Array, Histories, Int32Array, Int64Array

# Up to so many histories each is scored by its own rows; above, one product of matrices is quicker.
MAX_ROWWISE_HISTORIES = 64
# Neighbours of an item that are served. The others are half of the bytes and do not change nDCG:
# docs/decisions/0019-quantize-models-before-serving.md.
QUANTIZED_NEIGHBOURS = 64


def compute_recency_weights(histories: Histories, decay: float) -> Float32Array:
    """The weight of each event: its own, times `decay` for each step back from the latest."""
    steps = np.minimum(histories.distance_from_end(), 500)
    return (histories.weight * np.power(np.float32(decay), steps.astype(np.float32))).astype(np.float32)


def to_csr(histories: Histories, n_items: int, values: Float32Array) -> sparse.csr_matrix:
    """float32 (rows, items); an item chosen twice has the sum of its values."""
    # A copy: scipy sorts a matrix' own indices in place, which would put the history itself out of order.
    return sparse.csr_matrix(
        (values, histories.item, histories.indptr), shape=(len(histories), n_items), copy=True
    )


def select_top_n_per_row(matrix: sparse.csr_matrix, n: int) -> sparse.csr_matrix:
    """The `count` entries of each row that are greatest in size."""
    rows = matrix.tocsr()
    rows.sort_indices()
    owner = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    order = np.lexsort((-np.abs(rows.data), owner))
    place = np.arange(len(order)) - rows.indptr[owner[order]]
    kept = np.sort(order[place < n])
    return sparse.csr_matrix(
        (rows.data[kept].astype(np.float32), (owner[kept], rows.indices[kept])), shape=rows.shape
    )


class SparseSimilarity:
    """A sparse (items, items) matrix whose row i says how item i speaks for the others.

    Its values are float32, or int8 with one float32 step a row."""

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        matrix.sort_indices()
        start, column = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
        self._set_arrays(start, column, matrix.data.astype(np.float32), None)

    def _set_arrays(
        self, indptr: Int64Array, indices: Int32Array, data: np.ndarray[Any, Any], scale: Float32Array | None
    ) -> None:
        self._indptr, self._indices, self._data, self._scale = indptr, indices, data, scale

    @property
    def items(self) -> int:
        return len(self._indptr) - 1

    @property
    def matrix(self) -> sparse.csr_matrix:
        """float32; it shares the table's memory where the table is not narrow."""
        value = self._data
        if self._scale is not None:
            value = value * np.repeat(self._scale, np.diff(self._indptr))
        return sparse.csr_matrix((value, self._indices, self._indptr), shape=(self.items, self.items))

    def score(self, histories: Histories, decay: float) -> Float32Array:
        if len(histories) <= MAX_ROWWISE_HISTORIES:
            rows = [self.score_history(part, decay) for _, part in histories.iter_chunks(1)]
            return np.stack(rows) if rows else np.empty((0, self.items), np.float32)
        product = to_csr(histories, self.items, compute_recency_weights(histories, decay)) @ self.matrix
        return np.asarray(product.todense(), dtype=np.float32)

    def score_history(self, history: Histories, decay: float) -> Float32Array:
        total = np.zeros(self.items, np.float32)
        spans = [slice(self._indptr[i], self._indptr[i + 1]) for i in history.item.tolist()]
        if spans:
            fade = compute_recency_weights(history, decay)
            if self._scale is not None:
                fade = fade * self._scale[history.item]
            columns = np.concatenate([self._indices[span] for span in spans])
            values = np.concatenate([self._data[span] for span in spans])
            share = np.repeat(fade, [span.stop - span.start for span in spans])
            total = np.bincount(columns, weights=values * share, minlength=self.items).astype(np.float32)
        return total

    def get_rows(self, items: Int32Array) -> Float32Array:
        out = np.zeros((len(items), self.items), np.float32)
        for row, item in zip(out, items.tolist(), strict=True):
            span = slice(self._indptr[item], self._indptr[item + 1])
            row[self._indices[span]] = self._data[span] * (1 if self._scale is None else self._scale[item])
        return out

    def extract_submatrix(self, rows: Int32Array, columns: Int32Array) -> Float32Array:
        """float32 (len(rows), len(columns)): some cells of the matrix."""
        out = np.zeros((len(rows), len(columns)), np.float32)
        for found, item in zip(out, rows.tolist(), strict=True):
            span = slice(self._indptr[item], self._indptr[item + 1])
            known = self._indices[span]
            if len(known):
                place = np.minimum(np.searchsorted(known, columns), len(known) - 1)
                found[:] = np.where(known[place] == columns, self._data[span][place], 0)
        return out if self._scale is None else out * self._scale[rows][:, None]

    def to_arrays(self) -> Arrays:
        arrays: Arrays = {"start": self._indptr, "column": self._indices, "value": self._data}
        return arrays if self._scale is None else arrays | {"step": self._scale}

    def quantize_top_n(self, top_n: int) -> Arrays:
        """The arrays of the table cut to the `most` strongest of each row, in one byte each."""
        if self._scale is not None:
            return self.to_arrays()
        matrix = select_top_n_per_row(self.matrix, top_n)
        matrix.sort_indices()
        matrix.data, step = quantize_csr_rows(matrix.data, matrix.indptr.astype(np.int64))
        matrix.eliminate_zeros()
        return {
            "start": matrix.indptr.astype(np.int64),
            "column": cast_indices(matrix.indices, self.items),
            "value": matrix.data,
            "step": step,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> SparseSimilarity:
        table = cls.__new__(cls)
        table._set_arrays(arrays["start"], arrays["column"], arrays["value"], arrays.get("step"))
        return table
