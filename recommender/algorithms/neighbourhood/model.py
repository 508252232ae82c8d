"""The base class of models that are a sparse item-to-item matrix. Only numpy and scipy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.similarity_matrix import (
    QUANTIZED_NEIGHBOURS,
    SparseSimilarity,
    compute_recency_weights,
)
from recommender.types import Float32Array, Histories, Int32Array


class RecencyDecayConfig(Protocol):
    """The parameters that every neighbourhood model has.

    decay: Weight of an event relative to the event after it.
    history: Number of latest events that count.
    """

    @property
    def decay(self) -> float: ...
    @property
    def history(self) -> int: ...


DecayConfigT = TypeVar("DecayConfigT", bound=RecencyDecayConfig)


class NeighbourhoodModel(Recommender[DecayConfigT]):
    """Scores all items by the recency-weighted sum of the matrix rows of the history's items.

    A subclass sets `_similarity_matrix` when it is fitted.
    """

    _similarity_matrix: SparseSimilarity

    def compute_contributions(
        self,
        history: Int32Array,
        weight: Float32Array,
        items: Int32Array,
    ) -> Float32Array:
        """Splits scores into the contributions of single events.

        Args:
            history: Item numbers without unknown items and immediate repeats, oldest first.
            weight: Strength of each event, float32 (len(history)).
            items: Item numbers whose scores are split.

        Returns:
            float32 (len(history), len(items)); the sum over events is `score_history` at these items.
        """
        row = Histories.from_single(history, weight)
        is_recent = row.distance_from_end() < self.config.history
        recency_weights = compute_recency_weights(row, self.config.decay)
        event_weights = np.where(is_recent, recency_weights, 0)
        similarities = self._similarity_matrix.extract_submatrix(history, items)
        return event_weights.astype(np.float32)[:, None] * similarities

    def _score_batch(self, histories: Histories) -> Float32Array:
        recent = histories.take_last(self.config.history)
        return self._similarity_matrix.score(recent, self.config.decay)

    def score_clean_history(self, history: Histories) -> Float32Array:
        """Scores one history by summing its rows: float32 (items)."""
        recent = history.take_last(self.config.history)
        return self._similarity_matrix.score_history(recent, self.config.decay)

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        return self._similarity_matrix.get_rows(items)

    def _to_arrays(self) -> Arrays:
        return self._similarity_matrix.to_arrays()

    def _quantize_arrays(self, _arrays: Arrays) -> Arrays:
        return self._similarity_matrix.quantize_top_n(QUANTIZED_NEIGHBOURS)

    def _restore_state(
        self,
        arrays: Arrays,
        _files: Mapping[str, bytes],
    ) -> None:
        self._similarity_matrix = SparseSimilarity.from_arrays(arrays)
