"""Sequential rules: which item follows which within a few steps (Ludewig and Jannach 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from recommender.algorithms.common.search_space import FloatRange, IntRange, SearchSpace
from recommender.algorithms.common.similarity_matrix import SparseSimilarity, select_top_n_per_row
from recommender.algorithms.neighbourhood.model import NeighbourhoodModel
from recommender.dataset import Dataset
from recommender.types import Float32Array, Histories, InsufficientDataError


@dataclass(frozen=True)
class TransitionsConfig:
    """Parameters of `Transitions`.

    window: Greatest distance of two events that are counted as a pair; a pair at distance d counts 1 / d.
    decay: Weight of an event relative to the event after it.
    neighbours: Entries kept in each row of the matrix.
    history: Number of latest events that count.
    """

    window: int = 5
    decay: float = 0.6
    neighbours: int = 256
    history: int = 50

    inference_space: ClassVar[SearchSpace] = {"decay": FloatRange(0.1, 1.0)}
    training_space: ClassVar[SearchSpace] = {"window": IntRange(1, 12)}


class Transitions(NeighbourhoodModel[TransitionsConfig]):
    """Entry (i, j) is n_ij / sqrt(n_i. n_.j), with n_ij the weighted count of j following i within `window` steps."""

    name = "transitions"
    label = "Item transitions"
    relative_cost = 0.02
    reads_order = True
    config_type = TransitionsConfig

    def _fit(
        self,
        data: Dataset,
        _rng: np.random.Generator,
    ) -> None:
        counts = self._count_transitions(data.histories, data.n_items)
        if counts.nnz == 0:
            raise InsufficientDataError("no user chose two different items")
        outgoing = np.asarray(counts.sum(axis=1)).ravel()
        incoming = np.asarray(counts.sum(axis=0)).ravel()
        scaled = sparse.diags(inverse_sqrt(outgoing)) @ counts @ sparse.diags(inverse_sqrt(incoming))
        top_transitions = select_top_n_per_row(sparse.csr_matrix(scaled), self.config.neighbours)
        self._similarity_matrix = SparseSimilarity(top_transitions)

    def _count_transitions(
        self,
        histories: Histories,
        n_items: int,
    ) -> sparse.csr_matrix:
        """Counts pairs of different items of one history, float32 (items, items), row the earlier item."""
        row_ids = histories.row_ids()
        counts = sparse.csr_matrix((n_items, n_items), dtype=np.float32)
        for distance in range(1, self.config.window + 1):
            earlier = histories.item[:-distance]
            later = histories.item[distance:]
            # The flat array holds all histories one after another: a pair may cross a boundary.
            same_history = row_ids[:-distance] == row_ids[distance:]
            is_transition = same_history & (earlier != later)
            values = np.full(int(is_transition.sum()), 1 / distance, np.float32)
            pairs = (earlier[is_transition], later[is_transition])
            counts = counts + sparse.csr_matrix((values, pairs), shape=counts.shape)
        return counts


def inverse_sqrt(totals: Float32Array) -> Float32Array:
    """Returns 1 / sqrt(x) of each value, and zero for zero."""
    return np.divide(
        1,
        np.sqrt(totals),
        out=np.zeros_like(totals),
        where=totals > 0,
    )
