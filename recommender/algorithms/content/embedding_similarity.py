"""Similarity of items to a history, where every item is a vector; items without events can be scored."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.similarity_matrix import sum_item_vectors
from recommender.algorithms.content.new_items import NewItemContent
from recommender.numeric import normalize_rows
from recommender.types import BoolArray, Float32Array, Histories, Int32Array


@dataclass(frozen=True)
class EmbeddingSimilarityConfig:
    """Parameters of `EmbeddingSimilarity`.

    decay: Weight of an event relative to the event after it.
    history: Number of latest events that count.
    """

    decay: float = 0.65
    history: int = 50


SimilarityConfigT = TypeVar("SimilarityConfigT", bound=EmbeddingSimilarityConfig)


class EmbeddingSimilarity(Recommender[SimilarityConfigT]):
    """Scores an item by its cosine with the recency-weighted mean vector of the history.

    A subclass sets `vectors` when it is fitted: float32 (items, width) as an array or as scipy's CSR, rows of length
    one, or zero for an item about which nothing is known.
    """

    vectors: Any

    @property
    def has_vector(self) -> BoolArray:
        """Which items have a vector, bool (items)."""
        return np.asarray(abs(self.vectors).sum(axis=1)).ravel() > 0

    @abstractmethod
    def vectors_for(self, content: NewItemContent) -> Any:
        """Returns the vectors of items that were added after training, float32 (new items, width), array or CSR."""

    def compute_user_vector(
        self,
        history: Int32Array,
        weight: Float32Array | None = None,
    ) -> Float32Array:
        """Returns the mean vector of one history, float32 (width), of length one or zero.

        Args:
            history: Item numbers, oldest first.
            weight: Strength of each event; ones if omitted.
        """
        row = Histories.from_single(history, weight).drop_unknown_and_repeats(self.items)
        user_vector: Float32Array = self._compute_user_vectors(row)[0]
        return user_vector

    def _compute_user_vectors(self, histories: Histories) -> Float32Array:
        recent = histories.take_last(self.config.history)
        vector_sums = sum_item_vectors(
            recent,
            self.vectors,
            decay=self.config.decay,
        )
        return normalize_rows(to_dense(vector_sums))

    def _score_batch(self, histories: Histories) -> Float32Array:
        # Transposed twice: scipy's CSR can only be the left factor of a product with a dense array.
        return to_dense((self.vectors @ self._compute_user_vectors(histories).T).T)

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        similarities = to_dense((self.vectors @ to_dense(self.vectors[items]).T).T)
        similarities[:, ~self.has_vector] = -np.inf
        return similarities


def to_dense(matrix: Any) -> Float32Array:
    """Returns an array or a sparse matrix as a contiguous float32 array."""
    array = matrix.toarray() if sparse.issparse(matrix) else np.asarray(matrix)
    return np.ascontiguousarray(array, dtype=np.float32)
