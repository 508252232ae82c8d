"""Item-based collaborative filtering by nearest neighbours (Sarwar et al. 2001)."""

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
    """Parameters of `ItemKNN`.

    shrinkage: alpha, the number of common users at which a cosine counts half.
    neighbours: N, the number of nearest items that contribute to the score of an item.
    normalisation_power: The score is divided by this power of the neighbours' total similarity: 0 gives the sum, 1 the
        weighted mean.
    decay: Weight of an event relative to the event after it.
    history: Number of latest events that count.
    max_training_history: Number of a user's latest choices that are paired; pairs grow with its square.
    """

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
    """Scores r_ui = sum over the N items j nearest to i of s_ij r_uj, optionally divided by a power of sum s_ij.

    s_ij is the cosine over users who chose both items, times n_ij / (n_ij + alpha) for n_ij such users (shrinkage
    after Bell and Koren 2007). r_uj is the recency-weighted strength of the event; zero where j was not chosen.
    """

    name = "item_neighbours"
    label = "Item neighbours"
    relative_cost = 0.02
    config_type = ItemKNNConfig

    def _fit(
        self,
        data: Dataset,
        _rng: np.random.Generator,
    ) -> None:
        histories = data.histories.take_last(self.config.max_training_history)
        interactions = build_interaction_matrix(histories, data.n_items)
        item_counts = np.asarray(interactions.sum(axis=0), dtype=np.float32).ravel()
        blocks = []
        for rows, cooccurrence in iter_cooccurrence_blocks(interactions):
            blocks.append(self._select_top_similar(cooccurrence, rows, item_counts))
        # A row of the blocks holds the neighbours of a target; a row of the matrix is read for an item of the history.
        self._similarity_matrix = SparseSimilarity(sparse.csr_matrix(sparse.vstack(blocks).T))

    def _select_top_similar(
        self,
        cooccurrence: sparse.csr_matrix,
        rows: slice,
        item_counts: Float32Array,
    ) -> sparse.csr_matrix:
        """Returns the N greatest similarities of each target item of `rows`, the item itself excluded.

        Args:
            cooccurrence: Common users, CSR (len(rows), items).
            rows: Target items of the block.
            item_counts: Users of each item, float32 (items).
        """
        pairs = cooccurrence.tocoo()
        targets = pairs.row + rows.start
        cosine = pairs.data / np.sqrt(item_counts[targets] * item_counts[pairs.col])
        similarity = cosine * pairs.data / (pairs.data + np.float32(self.config.shrinkage))
        is_other = targets != pairs.col
        coordinates = (pairs.row[is_other], pairs.col[is_other])
        matrix = sparse.csr_matrix(
            (similarity[is_other], coordinates),
            shape=cooccurrence.shape,
            dtype=np.float32,
        )
        nearest = select_top_n_per_row(matrix, self.config.neighbours)
        totals = np.asarray(nearest.sum(axis=1)).ravel()
        scale = np.power(
            totals,
            -self.config.normalisation_power,
            out=np.zeros_like(totals),
            where=totals > 0,
        )
        return sparse.csr_matrix(sparse.diags(scale) @ nearest)
