"""EASE: a linear item-to-item model in closed form (Steck 2019, Embarrassingly Shallow Autoencoders)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import linalg, sparse

from recommender.algorithms.common.co_occurrence import build_interaction_matrix
from recommender.algorithms.common.search_space import FloatRange, SearchSpace
from recommender.algorithms.common.similarity_matrix import SparseSimilarity, select_top_n_per_row
from recommender.algorithms.neighbourhood.ease_local import solve_per_item
from recommender.algorithms.neighbourhood.model import NeighbourhoodModel
from recommender.dataset import Dataset
from recommender.types import Float32Array, InsufficientDataError, Int64Array


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
    n_candidates: int = 128
    max_training_history: int = 500
    history: int = 50

    inference_space: ClassVar[SearchSpace] = {"decay": FloatRange(0.2, 1.0)}
    training_space: ClassVar[SearchSpace] = {"regularisation": FloatRange(5, 5_000, log=True)}


class Ease(NeighbourhoodModel[EaseConfig]):
    name = "ease"
    label = "Items chosen together (EASE)"
    relative_cost = 0.2
    config_type = EaseConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        choices = build_interaction_matrix(data.histories, data.n_items)
        used = np.flatnonzero(np.asarray(choices.sum(axis=0)).ravel())
        if len(used) > self.config.dense_items:
            self.fit_note = (
                f"each of {len(used):,} items is explained by its {self.config.n_candidates:,} closest"
            )
            choices = build_interaction_matrix(
                data.histories.take_last(self.config.max_training_history), data.n_items
            )
            table = solve_per_item(
                choices, regularisation=self.config.regularisation, n_candidates=self.config.n_candidates
            )
            self._similarity_matrix = SparseSimilarity(select_top_n_per_row(table, self.config.neighbours))
        else:
            self.fit_note = ""
            self._similarity_matrix = SparseSimilarity(self._solve_dense(choices[:, used], used))

    def _solve_dense(self, interactions: sparse.csr_matrix, active_items: Int64Array) -> sparse.csr_matrix:
        """B = I - P / diag(P), P inverse to the regularised co-occurrence, cut to the strongest of a row."""
        gram = np.asfortranarray((interactions.T @ interactions).toarray(), dtype=np.float32)
        gram[np.diag_indices_from(gram)] += self.config.regularisation
        inverse = compute_spd_inverse(gram)
        scale = -1 / np.diag(inverse)
        np.fill_diagonal(inverse, 0)
        count = min(self.config.neighbours, len(active_items))
        column = np.empty((len(active_items), count), np.int64)
        value = np.empty((len(active_items), count), np.float32)
        for start in range(0, len(active_items), 1024):
            block = inverse[:, start : start + 1024].T * scale[None, :]
            best = np.argpartition(np.abs(block), -count, axis=1)[:, -count:]
            column[start : start + 1024] = best
            value[start : start + 1024] = np.take_along_axis(block, best, axis=1)
        row = np.repeat(active_items, count)
        shape = (self.items, self.items)
        table = sparse.csr_matrix((value.ravel(), (row, active_items[column].ravel())), shape=shape)
        table.eliminate_zeros()
        return table


def compute_spd_inverse(matrix: Float32Array) -> Float32Array:
    """The full inverse of a symmetric positive definite float32 matrix, made in its own memory."""
    factor, failed = linalg.lapack.spotrf(matrix, lower=1, overwrite_a=1)
    if failed:
        raise InsufficientDataError("the co-occurrence of items is not positive definite")
    inverse, _ = linalg.lapack.spotri(factor, lower=1, overwrite_c=1)
    for start in range(0, len(inverse), 1024):
        stop = start + 1024
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        corner = inverse[start:stop, start:stop]
        corner[:] = np.tril(corner) + np.tril(corner, -1).T
    return np.asarray(inverse, dtype=np.float32)
