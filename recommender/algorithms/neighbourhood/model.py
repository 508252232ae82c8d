"""What all members have in common that are a table of what items say for each other. Only numpy."""

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
    """decay: an event's worth beside the one after it; history: how many of the latest events count."""

    @property
    def decay(self) -> float: ...
    @property
    def history(self) -> int: ...


DecayConfigT = TypeVar("DecayConfigT", bound=RecencyDecayConfig)


class NeighbourhoodModel(Recommender[DecayConfigT]):
    """Each item of a history adds its row of the table, faded by age. A subclass sets `_table` when it is fitted."""

    _similarity_matrix: SparseSimilarity

    def compute_contributions(
        self, history: Int32Array, weight: Float32Array, items: Int32Array
    ) -> Float32Array:
        """float32 (len(history), len(items)): what each event adds to the score of each of `items`.

        The history is clean, as Histories.known() leaves it; the sum over events is score_one() at these items."""
        row = Histories.from_single(history, weight)
        counts = row.distance_from_end() < self.config.history
        fade = np.where(counts, compute_recency_weights(row, self.config.decay), 0).astype(np.float32)
        return fade[:, None] * self._similarity_matrix.extract_submatrix(history, items)

    def _score_batch(self, histories: Histories) -> Float32Array:
        return self._similarity_matrix.score(histories.take_last(self.config.history), self.config.decay)

    def _score_history(self, history: Histories) -> Float32Array:
        return self._similarity_matrix.score_history(
            history.take_last(self.config.history), self.config.decay
        )

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        return self._similarity_matrix.get_rows(items)

    def _to_arrays(self) -> Arrays:
        return self._similarity_matrix.to_arrays()

    def _quantize_arrays(self, _arrays: Arrays) -> Arrays:
        return self._similarity_matrix.quantize_top_n(QUANTIZED_NEIGHBOURS)

    def _restore_state(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        self._similarity_matrix = SparseSimilarity.from_arrays(arrays)
