"""Item neighbourhood: what the items of the history that are nearest to an item say for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from recommender.algorithms.common.co_occurrence import build_interaction_matrix, iter_cooccurrence_blocks
from recommender.algorithms.common.search_space import FloatRange, IntRange, SearchSpace
from recommender.algorithms.common.similarity_matrix import SparseSimilarity, select_top_n_per_row
from recommender.algorithms.neighbourhood.model import NeighbourhoodModel
from recommender.dataset import Dataset
from recommender.types import Float32Array


@dataclass(frozen=True)
class ItemKNNConfig:
    """shrinkage is alpha: the common users at which a cosine counts half. neighbours is N.

    The sum over the neighbours is divided by the `mean`-th power of their total similarity: 0 leaves the sum, 1 makes
    the weighted mean. Of a user's choices the latest `longest` are paired, for pairs grow with the square."""

    shrinkage: float = 5.0
    neighbours: int = 50
    normalisation_power: float = 0.0
    decay: float = 0.6
    history: int = 50
    max_training_history: int = 500

    inference_space: ClassVar[SearchSpace] = {"decay": FloatRange(0.1, 1.0)}
    training_space: ClassVar[SearchSpace] = {
        "shrinkage": FloatRange(0.3, 200, log=True),
        "neighbours": IntRange(10, 400, log=True),
        "normalisation_power": FloatRange(0.0, 1.0),
    }


class ItemKNN(NeighbourhoodModel[ItemKNNConfig]):
    """r_ui = sum of s_ij r_uj over the N items j nearest to i, by the total of s_ij over them for a mean.

    s_ij is the cosine over users who chose both, times n_ij / (n_ij + alpha) (Sarwar et al. 2001; shrinkage after
    Bell and Koren 2007). r_uj is the weight of the event, faded by its age; zero where j was not chosen."""

    name = "item_neighbours"
    label = "Item neighbours"
    relative_cost = 0.02
    config_type = ItemKNNConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        choices = build_interaction_matrix(
            data.histories.take_last(self.config.max_training_history), data.n_items
        )
        chosen = np.asarray(choices.sum(axis=0), dtype=np.float32).ravel()
        nearest = [
            self._select_top_similar(common, rows, chosen)
            for rows, common in iter_cooccurrence_blocks(choices)
        ]
        # Row j of the table is what j says for others, so the neighbourhoods of the targets are its columns.
        self._similarity_matrix = SparseSimilarity(sparse.csr_matrix(sparse.vstack(nearest).T))

    def _select_top_similar(
        self, cooccurrence: sparse.csr_matrix, rows: slice, item_counts: Float32Array
    ) -> sparse.csr_matrix:
        """The N greatest similarities of each target of `rows`, itself left out."""
        pairs = cooccurrence.tocoo()
        target = pairs.row + rows.start
        cosine = pairs.data / np.sqrt(item_counts[target] * item_counts[pairs.col])
        similar = cosine * pairs.data / (pairs.data + np.float32(self.config.shrinkage))
        other = target != pairs.col
        matrix = sparse.csr_matrix(
            (similar[other], (pairs.row[other], pairs.col[other])), shape=cooccurrence.shape, dtype=np.float32
        )
        best = select_top_n_per_row(matrix, self.config.neighbours)
        total = np.asarray(best.sum(axis=1)).ravel()
        scale = np.power(total, -self.config.normalisation_power, out=np.zeros_like(total), where=total > 0)
        return sparse.csr_matrix(sparse.diags(scale) @ best)
