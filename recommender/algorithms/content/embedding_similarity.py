"""Items like those of the history, where every item is a vector. Such a member knows items that nobody chose yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.similarity_matrix import compute_recency_weights, to_csr
from recommender.algorithms.content.new_items import NewItemContent
from recommender.types import BoolArray, Float32Array, Histories, Int32Array


@dataclass(frozen=True)
class EmbeddingSimilarityConfig:
    """decay: an event's worth beside the one after it; history: how many of the latest events count."""

    decay: float = 0.65
    history: int = 50


SimilarityConfigT = TypeVar("SimilarityConfigT", bound=EmbeddingSimilarityConfig)


class EmbeddingSimilarity(Recommender[SimilarityConfigT]):
    """The cosine between an item and the faded mean of the history. A subclass sets `vectors` when it is fitted:
    float32 (items, n), rows of length one, or zero where nothing is known; an array or scipy's CSR."""

    vectors: Any

    @property
    def has_vector(self) -> BoolArray:
        """Which items have a vector."""
        return np.asarray(abs(self.vectors).sum(axis=1)).ravel() > 0

    def vectors_for(self, content: NewItemContent) -> Any:
        """float32 (new items, n), array or CSR: vectors of items that were added after training."""
        raise NotImplementedError

    def compute_user_vector(self, history: Int32Array, weight: Float32Array | None = None) -> Float32Array:
        """float32 (n), length one or zero: what a history is like."""
        ones = np.ones(len(history), np.float32) if weight is None else weight
        rows = Histories(np.array([0, len(history)], np.int64), history, ones).drop_unknown_and_repeats(
            self.items
        )
        found: Float32Array = self._compute_user_vectors(rows)[0]
        return found

    def _compute_user_vectors(self, histories: Histories) -> Float32Array:
        recent = histories.take_last(self.config.history)
        mean = to_csr(recent, self.items, compute_recency_weights(recent, self.config.decay)) @ self.vectors
        return normalize_rows(to_dense(mean))

    def _score_batch(self, histories: Histories) -> Float32Array:
        return to_dense((self.vectors @ self._compute_user_vectors(histories).T).T)

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        scores = to_dense((self.vectors @ to_dense(self.vectors[items]).T).T)
        scores[:, ~self.has_vector] = -np.inf
        return scores


def to_dense(matrix: Any) -> Float32Array:
    found: Float32Array = matrix.toarray() if sparse.issparse(matrix) else np.asarray(matrix)
    return np.ascontiguousarray(found, dtype=np.float32)


def normalize_rows(vectors: Float32Array) -> Float32Array:
    """Rows of length one; rows of zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 1e-12, length, 1), dtype=np.float32)
