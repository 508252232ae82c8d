"""EASE: a linear item-to-item model in closed form (Steck 2019, Embarrassingly Shallow Autoencoders)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import linalg, sparse

from recommender.algorithms.co_occurrence import choices_of
from recommender.algorithms.ease_by_item import solved_by_item
from recommender.algorithms.neighbours import NeighbourTable, strongest
from recommender.algorithms.ranges import Ranges, Real
from recommender.algorithms.tabled import Tabled
from recommender.dataset import Dataset
from recommender.types import CannotFit, Floats, Longs


@dataclass(frozen=True)
class EaseConfig:
    """dense_items bounds the inverse: its time grows with the cube of the items, its memory with the square.

    A small regression for each item costs less from about 8,000 items on, and predicts as well at 12,000.
    In a greater catalogue each item is explained by the `closest` items that share most users with it, read from the
    latest `longest` choices of each user."""

    regularisation: float = 100.0
    decay: float = 0.7
    neighbours: int = 256
    dense_items: int = 8_000
    closest: int = 128
    longest: int = 500
    history: int = 50

    when_scoring: ClassVar[Ranges] = {"decay": Real(0.2, 1.0)}
    when_learning: ClassVar[Ranges] = {"regularisation": Real(5, 5_000, log=True)}


class Ease(Tabled[EaseConfig]):
    name = "ease"
    config_type = EaseConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        choices = choices_of(data.histories, data.items)
        used = np.flatnonzero(np.asarray(choices.sum(axis=0)).ravel())
        if len(used) > self.config.dense_items:
            self.note = f"each of {len(used):,} items is explained by its {self.config.closest:,} closest"
            choices = choices_of(data.histories.latest(self.config.longest), data.items)
            table = solved_by_item(
                choices, regularisation=self.config.regularisation, closest=self.config.closest
            )
            self._table = NeighbourTable(strongest(table, self.config.neighbours))
        else:
            self.note = ""
            self._table = NeighbourTable(self._solve(choices[:, used], used))

    def _solve(self, choices: sparse.csr_matrix, used: Longs) -> sparse.csr_matrix:
        """B = I - P / diag(P), P inverse to the regularised co-occurrence, cut to the strongest of a row."""
        gram = np.asfortranarray((choices.T @ choices).toarray(), dtype=np.float32)
        gram[np.diag_indices_from(gram)] += self.config.regularisation
        inverse = inverse_of_positive(gram)
        scale = -1 / np.diag(inverse)
        np.fill_diagonal(inverse, 0)
        count = min(self.config.neighbours, len(used))
        column = np.empty((len(used), count), np.int64)
        value = np.empty((len(used), count), np.float32)
        for start in range(0, len(used), 1024):
            block = inverse[:, start : start + 1024].T * scale[None, :]
            best = np.argpartition(np.abs(block), -count, axis=1)[:, -count:]
            column[start : start + 1024] = best
            value[start : start + 1024] = np.take_along_axis(block, best, axis=1)
        row = np.repeat(used, count)
        shape = (self.items, self.items)
        table = sparse.csr_matrix((value.ravel(), (row, used[column].ravel())), shape=shape)
        table.eliminate_zeros()
        return table


def inverse_of_positive(matrix: Floats) -> Floats:
    """The full inverse of a symmetric positive definite float32 matrix, made in its own memory."""
    factor, failed = linalg.lapack.spotrf(matrix, lower=1, overwrite_a=1)
    if failed:
        raise CannotFit("the co-occurrence of items is not positive definite")
    inverse, _ = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    for start in range(0, len(inverse), 1024):
        stop = start + 1024
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        corner = inverse[start:stop, start:stop]
        corner[:] = np.tril(corner) + np.tril(corner, -1).T
    return np.asarray(inverse, dtype=np.float32)
