"""Sparse item-to-item scores: each item of a history adds its row, faded by how long ago it was chosen."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from recommender.algorithms.base import Arrays
from recommender.types import Floats, Histories, Ints


def faded(histories: Histories, decay: float) -> Floats:
    """The weight of each event: its own, times `decay` for each step back from the latest."""
    steps = np.minimum(histories.steps_back(), 500)
    return (histories.weight * np.power(np.float32(decay), steps.astype(np.float32))).astype(np.float32)


def as_matrix(histories: Histories, items: int, value: Floats) -> sparse.csr_matrix:
    """float32 (rows, items); an item chosen twice has the sum of its values."""
    # A copy: scipy sorts a matrix' own indices in place, which would put the history itself out of order.
    return sparse.csr_matrix(
        (value, histories.item, histories.indptr), shape=(len(histories), items), copy=True
    )


def strongest(matrix: sparse.csr_matrix, count: int) -> sparse.csr_matrix:
    """The `count` entries of each row that are greatest in size."""
    rows = matrix.tocsr()
    rows.sort_indices()
    owner = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    order = np.lexsort((-np.abs(rows.data), owner))
    place = np.arange(len(order)) - rows.indptr[owner[order]]
    kept = np.sort(order[place < count])
    return sparse.csr_matrix(
        (rows.data[kept].astype(np.float32), (owner[kept], rows.indices[kept])), shape=rows.shape
    )


class NeighbourTable:
    """A sparse (items, items) matrix whose row i says how item i speaks for the others."""

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        matrix.sort_indices()
        self.matrix = matrix
        self._start = matrix.indptr.astype(np.int64)
        self._column = matrix.indices.astype(np.int32)
        self._value = matrix.data.astype(np.float32)

    def score(self, histories: Histories, decay: float) -> Floats:
        items = self.matrix.shape[0]
        product = as_matrix(histories, items, faded(histories, decay)) @ self.matrix
        return np.asarray(product.todense(), dtype=np.float32)

    def score_one(self, history: Histories, decay: float) -> Floats:
        items = self.matrix.shape[0]
        total = np.zeros(items, np.float32)
        spans = [slice(self._start[i], self._start[i + 1]) for i in history.item.tolist()]
        if spans:
            columns = np.concatenate([self._column[span] for span in spans])
            values = np.concatenate(
                [self._value[span] * f for span, f in zip(spans, faded(history, decay), strict=True)]
            )
            total = np.bincount(columns, weights=values, minlength=items).astype(np.float32)
        return total

    def rows(self, items: Ints) -> Floats:
        return np.asarray(self.matrix[items].todense(), dtype=np.float32)

    def arrays(self) -> Arrays:
        return {"start": self._start, "column": self._column, "value": self._value}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> NeighbourTable:
        items = len(arrays["start"]) - 1
        return cls(
            sparse.csr_matrix((arrays["value"], arrays["column"], arrays["start"]), shape=(items, items))
        )
