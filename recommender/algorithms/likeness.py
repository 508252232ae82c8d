"""Items like those of the history, where every item is a vector. Such a member knows items that nobody chose yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from recommender.algorithms.base import Recommender
from recommender.algorithms.neighbours import as_matrix, faded
from recommender.types import Bools, Floats, Histories, Ints


@dataclass(frozen=True)
class LikenessConfig:
    """decay: an event's worth beside the one after it; history: how many of the latest events count."""

    decay: float = 0.65
    history: int = 50


Config = TypeVar("Config", bound=LikenessConfig)


class Likeness(Recommender[Config]):
    """The cosine between an item and the faded mean of the history. A subclass sets `vectors` when it is fitted:
    float32 (items, n), rows of length one, or zero where nothing is known; an array or scipy's CSR."""

    vectors: Any

    @property
    def described(self) -> Bools:
        """Which items have a vector."""
        return np.asarray(abs(self.vectors).sum(axis=1)).ravel() > 0

    def profile(self, history: Ints, weight: Floats | None = None) -> Floats:
        """float32 (n), length one or zero: what a history is like."""
        ones = np.ones(len(history), np.float32) if weight is None else weight
        rows = Histories(np.array([0, len(history)], np.int64), history, ones).known(self.items)
        found: Floats = self._profiles(rows)[0]
        return found

    def _profiles(self, histories: Histories) -> Floats:
        recent = histories.latest(self.config.history)
        mean = as_matrix(recent, self.items, faded(recent, self.config.decay)) @ self.vectors
        return unit(dense(mean))

    def _score(self, histories: Histories) -> Floats:
        return dense((self.vectors @ self._profiles(histories).T).T)

    def _similarity(self, items: Ints) -> Floats:
        scores = dense((self.vectors @ dense(self.vectors[items]).T).T)
        scores[:, ~self.described] = -np.inf
        return scores


def dense(matrix: Any) -> Floats:
    found: Floats = matrix.toarray() if sparse.issparse(matrix) else np.asarray(matrix)
    return np.ascontiguousarray(found, dtype=np.float32)


def unit(vectors: Floats) -> Floats:
    """Rows of length one; rows of zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 1e-12, length, 1), dtype=np.float32)
