"""Scores from analysed reviews: general sentiment, and similarity of praised aspects to those of the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.similarity_matrix import sum_item_vectors
from recommender.dataset import Dataset
from recommender.numeric import EPSILON, normalize_rows
from recommender.onnx.int8 import dequantize, quantize_rows
from recommender.types import Float32Array, Histories, InsufficientDataError, Int32Array


@dataclass(frozen=True)
class ReviewScoreConfig:
    """Parameters of `ReviewScore`.

    aspect_weight: Weight of the aspect similarity relative to the mean sentiment.
    relevance_weight: Weight of how well reviews match the description, relative to the mean sentiment.
    decay: Weight of an event relative to the event after it.
    history: Number of latest events that count.
    """

    aspect_weight: float = 0.5
    relevance_weight: float = 0.5
    decay: float = 0.8
    history: int = 50


class ReviewScore(Recommender[ReviewScoreConfig]):
    """Scores s_i + relevance_weight * g_i + aspect_weight * cos(a_u, a_i).

    s_i is the shrunk mean sentiment of item i and g_i its shrunk relevance, each divided by its greatest absolute
    value; a_i holds the sentiment towards each aspect, a_u the recency-weighted mean of the history's.
    """

    name = "review_score"
    label = "Review score"
    relative_cost = 0.01
    reads_content = frozenset({"reviews"})
    uses_behaviour = False
    config_type = ReviewScoreConfig

    def _fit(
        self,
        data: Dataset,
        _rng: np.random.Generator,
    ) -> None:
        features = data.review_features
        if features is None or not features.has_values:
            raise InsufficientDataError("no item has enough reviews")
        sentiment = _scale_to_unit_max(features.mean_sentiment)
        relevance = np.float32(self.config.relevance_weight) * _scale_to_unit_max(features.relevance)
        self._item_scores = (sentiment + relevance).astype(np.float32)
        self._aspect_vectors = normalize_rows(features.aspect_sentiment.astype(np.float32))

    def _score_batch(self, histories: Histories) -> Float32Array:
        recent = histories.take_last(self.config.history)
        vector_sums = sum_item_vectors(
            recent,
            self._aspect_vectors,
            decay=self.config.decay,
        )
        user_aspects = normalize_rows(np.asarray(vector_sums, dtype=np.float32))
        aspect_affinity = user_aspects @ self._aspect_vectors.T
        scores = self._item_scores + np.float32(self.config.aspect_weight) * aspect_affinity
        return np.asarray(scores, dtype=np.float32)

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        return np.asarray(self._aspect_vectors[items] @ self._aspect_vectors.T, dtype=np.float32)

    def _to_arrays(self) -> Arrays:
        return {"item_scores": self._item_scores, "aspect_vectors": self._aspect_vectors}

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        aspect_vectors, scale = quantize_rows(self._aspect_vectors)
        return arrays | {"aspect_vectors": aspect_vectors, "scale": scale}

    def _restore_state(
        self,
        arrays: Arrays,
        _files: Mapping[str, bytes],
    ) -> None:
        self._item_scores = arrays["item_scores"]
        self._aspect_vectors = dequantize(arrays["aspect_vectors"], arrays.get("scale"))


def _scale_to_unit_max(values: Float32Array) -> Float32Array:
    """Divides by the greatest absolute value; zeros stay zero."""
    max_abs = float(np.abs(values).max(initial=0.0))
    return np.asarray(values / max(max_abs, EPSILON), dtype=np.float32)
