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

# Rows of the inverse that are processed at once; bounds the temporary arrays.
_BLOCK_ROWS = 1024


@dataclass(frozen=True)
class EaseConfig:
    """Parameters of `Ease`.

    regularisation: L2 penalty lambda.
    decay: Weight of an event relative to the event after it.
    neighbours: Entries kept in each row of the matrix.
    dense_items: Up to this many items the matrix is inverted, in time cubic and memory quadratic in the items. Above,
        one small regression per item is cheaper (from about 8,000 items on) and measured as accurate at 12,000.
    n_candidates: Predictors of each small regression: the items that share most users with the target.
    max_training_history: Number of a user's latest choices that the small regressions read.
    history: Number of latest events that count.
    """

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
    """The matrix B that minimises ||X - XB||^2 + lambda ||B||^2 with a zero diagonal, cut to its strongest entries."""

    name = "ease"
    label = "Items chosen together (EASE)"
    relative_cost = 0.2
    config_type = EaseConfig

    def _fit(
        self,
        data: Dataset,
        _rng: np.random.Generator,
    ) -> None:
        self.fit_note = ""
        interactions = build_interaction_matrix(data.histories, data.n_items)
        users_per_item = np.asarray(interactions.sum(axis=0)).ravel()
        active_items = np.flatnonzero(users_per_item)
        if len(active_items) <= self.config.dense_items:
            weights = self._solve_dense(interactions[:, active_items], active_items)
        else:
            weights = self._solve_locally(data)
            n_candidates = self.config.n_candidates
            self.fit_note = (
                f"each of {len(active_items):,} items is explained by its {n_candidates:,} closest"
            )
        self._similarity_matrix = SparseSimilarity(weights)

    def _solve_locally(self, data: Dataset) -> sparse.csr_matrix:
        recent = data.histories.take_last(self.config.max_training_history)
        weights = solve_per_item(
            build_interaction_matrix(recent, data.n_items),
            regularisation=self.config.regularisation,
            n_candidates=self.config.n_candidates,
        )
        return select_top_n_per_row(weights, self.config.neighbours)

    def _solve_dense(
        self,
        interactions: sparse.csr_matrix,
        active_items: Int64Array,
    ) -> sparse.csr_matrix:
        """Computes B = I - P / diag(P), with P the inverse of X'X + lambda I, cut to the strongest of each row.

        Args:
            interactions: X without the items that nobody chose, (users, len(active_items)).
            active_items: Item numbers of its columns.

        Returns:
            float32 (items, items).
        """
        # Fortran order: LAPACK then works in the array's own memory.
        gram = np.asfortranarray((interactions.T @ interactions).toarray(), dtype=np.float32)
        gram[np.diag_indices_from(gram)] += self.config.regularisation
        inverse = compute_spd_inverse(gram)
        column_scale = -1 / np.diag(inverse)
        np.fill_diagonal(inverse, 0)
        n_active = len(active_items)
        n_kept = min(self.config.neighbours, n_active)
        columns = np.empty((n_active, n_kept), np.int64)
        values = np.empty((n_active, n_kept), np.float32)
        for start in range(0, n_active, _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            # The inverse is symmetric, so its columns, contiguous in Fortran order, are read as rows.
            block = inverse[:, rows].T * column_scale[None, :]
            strongest = np.argpartition(np.abs(block), -n_kept, axis=1)[:, -n_kept:]
            columns[rows] = strongest
            values[rows] = np.take_along_axis(block, strongest, axis=1)
        row_items = np.repeat(active_items, n_kept)
        column_items = active_items[columns].ravel()
        weights = sparse.csr_matrix(
            (values.ravel(), (row_items, column_items)), shape=(self.items, self.items)
        )
        weights.eliminate_zeros()
        return weights


def compute_spd_inverse(matrix: Float32Array) -> Float32Array:
    """Inverts a symmetric positive definite float32 matrix in its own memory, by Cholesky decomposition.

    Raises:
        InsufficientDataError: The matrix is not positive definite.
    """
    factor, info = linalg.lapack.spotrf(
        matrix,
        lower=1,
        overwrite_a=1,
    )
    if info:
        raise InsufficientDataError("the co-occurrence of items is not positive definite")
    inverse, _ = linalg.lapack.spotri(
        factor,
        lower=1,
        overwrite_c=1,
    )
    # spotri fills the lower triangle only; it is mirrored block by block to bound the temporary memory.
    for start in range(0, len(inverse), _BLOCK_ROWS):
        stop = start + _BLOCK_ROWS
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        diagonal_block = inverse[start:stop, start:stop]
        diagonal_block[:] = np.tril(diagonal_block) + np.tril(diagonal_block, -1).T
    return np.asarray(inverse, dtype=np.float32)
