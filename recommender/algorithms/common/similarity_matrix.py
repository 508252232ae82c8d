"""A sparse item-to-item matrix, and the recency-weighted histories that are multiplied with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from recommender.algorithms.base import Arrays
from recommender.onnx.int8 import cast_indices, quantize_csr_rows
from recommender.types import Float32Array, Histories, Int32Array, Int64Array

# Up to this many histories, each is scored by summing its own rows; above, one sparse matrix product is quicker.
MAX_ROWWISE_HISTORIES = 64
# Entries kept in each row of a quantised matrix: half of the bytes at no measured loss,
# see docs/decisions/0019-quantize-models-before-serving.md.
QUANTIZED_NEIGHBOURS = 64
# Distances are capped: the weight of an older event is negligible at every decay in use, and float32 would underflow.
_MAX_DISTANCE = 500


def compute_recency_weights(
    histories: Histories,
    decay: float,
) -> Float32Array:
    """Returns the weight of each event, float32 (events): its own weight times decay ** (distance from the end)."""
    distance = np.minimum(histories.distance_from_end(), _MAX_DISTANCE)
    fading = np.power(np.float32(decay), distance.astype(np.float32))
    return (histories.weight * fading).astype(np.float32)


def to_csr(
    histories: Histories,
    n_items: int,
    values: Float32Array,
) -> sparse.csr_matrix:
    """Returns float32 (len(histories), n_items) with one value per event; an item that occurs twice has the sum."""
    shape = (len(histories), n_items)
    # A copy: scipy sorts a matrix' own indices in place, which would reorder the events of the histories.
    return sparse.csr_matrix(
        (values, histories.item, histories.indptr),
        shape=shape,
        copy=True,
    )


def sum_item_vectors(
    histories: Histories,
    item_vectors: Any,
    *,
    decay: float,
) -> Any:
    """Sums the vectors of each history's items, weighted by `compute_recency_weights`.

    Args:
        histories: Clean histories; all of their events count.
        item_vectors: float32 (items, width), an array or scipy's CSR.
        decay: Weight of an event relative to the event after it.

    Returns:
        float32 (len(histories), width), of the kind of `item_vectors`.
    """
    weights = compute_recency_weights(histories, decay)
    return to_csr(histories, item_vectors.shape[0], weights) @ item_vectors


def select_top_n_per_row(
    matrix: sparse.csr_matrix,
    n: int,
) -> sparse.csr_matrix:
    """Returns float32 of the same shape with the n entries of each row that are greatest in absolute value."""
    rows = matrix.tocsr()
    rows.sort_indices()
    row_of_entry = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    # Entries row by row, within a row by falling absolute value; ties keep the order of columns.
    order = np.lexsort((-np.abs(rows.data), row_of_entry))
    rank_in_row = np.arange(len(order)) - rows.indptr[row_of_entry[order]]
    selected = np.sort(order[rank_in_row < n])
    coordinates = (row_of_entry[selected], rows.indices[selected])
    return sparse.csr_matrix((rows.data[selected].astype(np.float32), coordinates), shape=rows.shape)


class SparseSimilarity:
    """A sparse (items, items) matrix in CSR form: entry (i, j) is what item i in a history adds to item j's score.

    Its values are float32, or int8 codes with one float32 scale per row.
    """

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        matrix.sort_indices()
        self._set_arrays(
            indptr=matrix.indptr.astype(np.int64),
            indices=matrix.indices.astype(np.int32),
            data=matrix.data.astype(np.float32),
            scale=None,
        )

    def _set_arrays(
        self,
        indptr: Int64Array,
        indices: Int32Array,
        data: np.ndarray[Any, Any],
        scale: Float32Array | None,
    ) -> None:
        self._indptr = indptr
        self._indices = indices
        self._data = data
        self._scale = scale

    @property
    def items(self) -> int:
        """Number of items, which is the number of rows and columns."""
        return len(self._indptr) - 1

    @property
    def matrix(self) -> sparse.csr_matrix:
        """The matrix as float32; it shares its memory with this object unless this is quantised."""
        data = self._data
        if self._scale is not None:
            data = data * np.repeat(self._scale, np.diff(self._indptr))
        return sparse.csr_matrix((data, self._indices, self._indptr), shape=(self.items, self.items))

    def score(
        self,
        histories: Histories,
        decay: float,
    ) -> Float32Array:
        """Returns float32 (len(histories), items): the recency-weighted sum of the rows of each history's items."""
        if len(histories) > MAX_ROWWISE_HISTORIES:
            weights = to_csr(
                histories,
                self.items,
                compute_recency_weights(histories, decay),
            )
            return np.asarray((weights @ self.matrix).todense(), dtype=np.float32)
        scores = np.empty((len(histories), self.items), np.float32)
        for rows, history in histories.iter_chunks(1):
            scores[rows] = self.score_history(history, decay)
        return scores

    def score_history(
        self,
        history: Histories,
        decay: float,
    ) -> Float32Array:
        """Returns float32 (items): `score` for one history."""
        if not len(history.item):
            return np.zeros(self.items, np.float32)
        row_spans = [self._get_row_span(item) for item in history.item.tolist()]
        weights = compute_recency_weights(history, decay)
        if self._scale is not None:
            # Scaling the few weights replaces dequantising the rows.
            weights = weights * self._scale[history.item]
        columns = np.concatenate([self._indices[span] for span in row_spans])
        data = np.concatenate([self._data[span] for span in row_spans])
        entry_weights = np.repeat(weights, [span.stop - span.start for span in row_spans])
        # bincount sums the entries of equal columns; it is several times as fast as np.add.at.
        return np.bincount(
            columns,
            weights=data * entry_weights,
            minlength=self.items,
        ).astype(np.float32)

    def get_rows(self, items: Int32Array) -> Float32Array:
        """Returns the dense rows of the items, float32 (len(items), n_items)."""
        rows = np.zeros((len(items), self.items), np.float32)
        for row, item in zip(rows, items.tolist(), strict=True):
            span = self._get_row_span(item)
            scale = 1 if self._scale is None else self._scale[item]
            row[self._indices[span]] = self._data[span] * scale
        return rows

    def extract_submatrix(
        self,
        rows: Int32Array,
        columns: Int32Array,
    ) -> Float32Array:
        """Returns the entries at the crossings of rows and columns, float32 (len(rows), len(columns))."""
        entries = np.zeros((len(rows), len(columns)), np.float32)
        for entry_row, item in zip(entries, rows.tolist(), strict=True):
            span = self._get_row_span(item)
            row_columns = self._indices[span]
            if len(row_columns):
                # Column numbers of a row ascend, so a binary search finds where each wanted column would be.
                position = np.minimum(np.searchsorted(row_columns, columns), len(row_columns) - 1)
                is_stored = row_columns[position] == columns
                entry_row[:] = np.where(is_stored, self._data[span][position], 0)
        if self._scale is not None:
            entries = entries * self._scale[rows][:, None]
        return entries

    def to_arrays(self) -> Arrays:
        """Returns the arrays to store, in scipy's CSR terms: indptr, indices, data, and for int8 also scale."""
        arrays: Arrays = {"indptr": self._indptr, "indices": self._indices, "data": self._data}
        if self._scale is not None:
            arrays["scale"] = self._scale
        return arrays

    def quantize_top_n(self, top_n: int) -> Arrays:
        """Returns the arrays of this matrix as int8, with the `top_n` strongest entries of each row only."""
        if self._scale is not None:
            return self.to_arrays()
        matrix = select_top_n_per_row(self.matrix, top_n)
        matrix.sort_indices()
        matrix.data, scale = quantize_csr_rows(matrix.data, matrix.indptr.astype(np.int64))
        # Entries far below the greatest of their row round to the code zero.
        matrix.eliminate_zeros()
        return {
            "indptr": matrix.indptr.astype(np.int64),
            "indices": cast_indices(matrix.indices, self.items),
            "data": matrix.data,
            "scale": scale,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> SparseSimilarity:
        """Restores a matrix from the arrays of `to_arrays` or `quantize_top_n`."""
        # Not through __init__, which takes a scipy matrix and would copy the arrays.
        similarity = cls.__new__(cls)
        similarity._set_arrays(
            indptr=arrays["indptr"],
            indices=arrays["indices"],
            data=arrays["data"],
            scale=arrays.get("scale"),
        )
        return similarity

    def _get_row_span(self, item: int) -> slice:
        return slice(self._indptr[item], self._indptr[item + 1])
