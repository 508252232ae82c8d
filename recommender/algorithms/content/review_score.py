"""What reviews say of an item, and whether it is praised for what the person's own items are praised for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.int8 import dequantize, quantize_rows
from recommender.algorithms.common.similarity_matrix import compute_recency_weights, to_csr
from recommender.algorithms.content.feature_interactions import normalize_rows
from recommender.dataset import Dataset
from recommender.types import Float32Array, Histories, InsufficientDataError, Int32Array


@dataclass(frozen=True)
class ReviewScoreConfig:
    """taste: how much likeness of aspects counts beside the regard of everybody, agreement likewise; decay for each step
    back."""

    aspect_weight: float = 0.5
    relevance_weight: float = 0.5
    decay: float = 0.8
    history: int = 50


class ReviewScore(Recommender[ReviewScoreConfig]):
    """Scores r_i + agreement . g_i + taste . cos(a_u, a_i): r_i the shrunk praise of item i and g_i its shrunk agreement,
    each over its greatest size, a_i the praise of each of its aspects, a_u the faded mean of the history's."""

    name = "review_score"
    label = "Review score"
    relative_cost = 0.01
    reads_content = frozenset({"reviews"})
    uses_behaviour = False
    config_type = ReviewScoreConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        if data.review_features is None or not data.review_features.has_values:
            raise InsufficientDataError("no item has enough reviews")
        agreement = np.float32(self.config.relevance_weight) * _scale_to_unit_max(
            data.review_features.relevance
        )
        self._item_scores = (_scale_to_unit_max(data.review_features.mean_sentiment) + agreement).astype(
            np.float32
        )
        self._aspect_vectors = normalize_rows(data.review_features.aspect_sentiment.astype(np.float32))

    def _score_batch(self, histories: Histories) -> Float32Array:
        recent = histories.take_last(self.config.history)
        mean = (
            to_csr(recent, self.items, compute_recency_weights(recent, self.config.decay))
            @ self._aspect_vectors
        )
        taste = normalize_rows(np.asarray(mean, dtype=np.float32)) @ self._aspect_vectors.T
        return np.asarray(self._item_scores + np.float32(self.config.aspect_weight) * taste, dtype=np.float32)

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        return np.asarray(self._aspect_vectors[items] @ self._aspect_vectors.T, dtype=np.float32)

    def _to_arrays(self) -> Arrays:
        return {"regard": self._item_scores, "aspects": self._aspect_vectors}

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        aspects, step = quantize_rows(self._aspect_vectors)
        return arrays | {"aspects": aspects, "step": step}

    def _restore_state(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        self._item_scores, self._aspect_vectors = (
            arrays["regard"],
            dequantize(arrays["aspects"], arrays.get("step")),
        )


def _scale_to_unit_max(values: Float32Array) -> Float32Array:
    return np.asarray(values / max(float(np.abs(values).max(initial=0.0)), 1e-12), dtype=np.float32)
