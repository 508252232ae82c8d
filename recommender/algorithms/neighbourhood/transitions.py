"""Which item follows which, a few steps ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from recommender.algorithms.common.search_space import FloatRange, IntRange, SearchSpace
from recommender.algorithms.common.similarity_matrix import SparseSimilarity, select_top_n_per_row
from recommender.algorithms.neighbourhood.model import NeighbourhoodModel
from recommender.dataset import Dataset
from recommender.types import Float32Array, InsufficientDataError


@dataclass(frozen=True)
class TransitionsConfig:
    """A pair `gap` steps apart counts 1 / gap, up to `window` steps; both ends are normalised alike."""

    window: int = 5
    decay: float = 0.6
    neighbours: int = 256
    history: int = 50

    inference_space: ClassVar[SearchSpace] = {"decay": FloatRange(0.1, 1.0)}
    training_space: ClassVar[SearchSpace] = {"window": IntRange(1, 12)}


class Transitions(NeighbourhoodModel[TransitionsConfig]):
    name = "transitions"
    label = "Item transitions"
    relative_cost = 0.02
    reads_order = True
    config_type = TransitionsConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        rows = data.histories
        owner = rows.row_ids()
        counts = sparse.csr_matrix((data.n_items, data.n_items), dtype=np.float32)
        for gap in range(1, self.config.window + 1):
            before, after = rows.item[:-gap], rows.item[gap:]
            same = (owner[:-gap] == owner[gap:]) & (before != after)
            value = np.full(int(same.sum()), 1 / gap, np.float32)
            counts = counts + sparse.csr_matrix((value, (before[same], after[same])), shape=counts.shape)
        if counts.nnz == 0:
            raise InsufficientDataError("no user chose two different items")
        outgoing, incoming = (np.asarray(counts.sum(axis=axis)).ravel() for axis in (1, 0))
        scaled = sparse.diags(inverse_sqrt(outgoing)) @ counts @ sparse.diags(inverse_sqrt(incoming))
        self._similarity_matrix = SparseSimilarity(
            select_top_n_per_row(sparse.csr_matrix(scaled), self.config.neighbours)
        )


def inverse_sqrt(totals: Float32Array) -> Float32Array:
    """1 / sqrt(x), and zero for zero."""
    return np.divide(1, np.sqrt(totals), out=np.zeros_like(totals), where=totals > 0)
