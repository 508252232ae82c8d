"""Sparse item-to-item scores: each item of a history adds its row, faded by how long ago it was chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from recommender.algorithms.base import Arrays
from recommender.algorithms.narrow import narrow_ragged, smallest_columns
from recommender.types import Floats, Histories, Ints, Longs

# Up to so many histories each is scored by its own rows; above, one product of matrices is quicker.
FEW = 64
# What is served of each row: the rest is half of the bytes and nothing of the quality (deploy/decisions/compression.md).
SERVED_NEIGHBOURS = 64


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
    """A sparse (items, items) matrix whose row i says how item i speaks for the others.

    Its values are float32, or int8 with one float32 step a row."""

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        matrix.sort_indices()
        start, column = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
        self._set(start, column, matrix.data.astype(np.float32), None)

    def _set(self, start: Longs, column: Ints, value: np.ndarray[Any, Any], step: Floats | None) -> None:
        self._start, self._column, self._value, self._step = start, column, value, step

    @property
    def items(self) -> int:
        return len(self._start) - 1

    @property
    def matrix(self) -> sparse.csr_matrix:
        """float32; it shares the table's memory where the table is not narrow."""
        value = self._value
        if self._step is not None:
            value = value * np.repeat(self._step, np.diff(self._start))
        return sparse.csr_matrix((value, self._column, self._start), shape=(self.items, self.items))

    def score(self, histories: Histories, decay: float) -> Floats:
        if len(histories) <= FEW:
            rows = [self.score_one(part, decay) for _, part in histories.split(1)]
            return np.stack(rows) if rows else np.empty((0, self.items), np.float32)
        product = as_matrix(histories, self.items, faded(histories, decay)) @ self.matrix
        return np.asarray(product.todense(), dtype=np.float32)

    def score_one(self, history: Histories, decay: float) -> Floats:
        total = np.zeros(self.items, np.float32)
        spans = [slice(self._start[i], self._start[i + 1]) for i in history.item.tolist()]
        if spans:
            fade = faded(history, decay)
            if self._step is not None:
                fade = fade * self._step[history.item]
            columns = np.concatenate([self._column[span] for span in spans])
            values = np.concatenate([self._value[span] for span in spans])
            share = np.repeat(fade, [span.stop - span.start for span in spans])
            total = np.bincount(columns, weights=values * share, minlength=self.items).astype(np.float32)
        return total

    def rows(self, items: Ints) -> Floats:
        out = np.zeros((len(items), self.items), np.float32)
        for row, item in zip(out, items.tolist(), strict=True):
            span = slice(self._start[item], self._start[item + 1])
            row[self._column[span]] = self._value[span] * (1 if self._step is None else self._step[item])
        return out

    def between(self, rows: Ints, columns: Ints) -> Floats:
        """float32 (len(rows), len(columns)): some cells of the matrix."""
        out = np.zeros((len(rows), len(columns)), np.float32)
        for found, item in zip(out, rows.tolist(), strict=True):
            span = slice(self._start[item], self._start[item + 1])
            known = self._column[span]
            if len(known):
                place = np.minimum(np.searchsorted(known, columns), len(known) - 1)
                found[:] = np.where(known[place] == columns, self._value[span][place], 0)
        return out if self._step is None else out * self._step[rows][:, None]

    def arrays(self) -> Arrays:
        arrays: Arrays = {"start": self._start, "column": self._column, "value": self._value}
        return arrays if self._step is None else arrays | {"step": self._step}

    def narrow(self, most: int) -> Arrays:
        """The arrays of the table cut to the `most` strongest of each row, in one byte each."""
        if self._step is not None:
            return self.arrays()
        matrix = strongest(self.matrix, most)
        matrix.sort_indices()
        matrix.data, step = narrow_ragged(matrix.data, matrix.indptr.astype(np.int64))
        matrix.eliminate_zeros()
        return {
            "start": matrix.indptr.astype(np.int64),
            "column": smallest_columns(matrix.indices, self.items),
            "value": matrix.data,
            "step": step,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> NeighbourTable:
        table = cls.__new__(cls)
        table._set(arrays["start"], arrays["column"], arrays["value"], arrays.get("step"))
        return table
