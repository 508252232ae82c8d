"""The served half of the feature model: what a person likes is read from the features of what they chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.int8 import dequantize, quantize_rows
from recommender.algorithms.common.search_space import FloatRange, IntRange, SearchSpace
from recommender.algorithms.common.similarity_matrix import compute_recency_weights, to_csr
from recommender.dataset import Dataset
from recommender.types import Float32Array, Histories, InsufficientDataError, Int32Array


@dataclass(frozen=True)
class FeatureInteractionConfig:
    """dimensions: to which texts are reduced. Each of at most most_pairs observed pairs is told from `negatives`
    items drawn evenly; penalty is the L2 penalty of w."""

    dimensions: int = 128
    min_items: int = 2
    max_terms: int = 100_000
    negatives: int = 4
    max_pairs: int = 60_000
    l2_penalty: float = 1.0
    decay: float = 0.65
    history: int = 50

    training_space: ClassVar[SearchSpace] = {
        "decay": FloatRange(0.2, 1.0),
        "l2_penalty": FloatRange(0.01, 100, log=True),
        "dimensions": IntRange(32, 256, log=True),
    }


class FeatureInteractionModel(Recommender[FeatureInteractionConfig]):
    """Scores w . (x_u * x_i) + b, the product element by element: the log-odds that u chooses i.

    x_i are unit vectors of the item's text, x_u is the faded mean of the history's, scaled to length one; an empty
    history scores b everywhere."""

    name = "features"
    label = "Feature interactions"
    relative_cost = 0.1
    reads_content = frozenset({"text", "reviews"})
    uses_behaviour = False
    places_every_item = True
    config_type = FeatureInteractionConfig

    def _fit(self, _data: Dataset, _rng: np.random.Generator) -> None:
        raise InsufficientDataError("this process serves feature models and does not train them")

    def _set_parameters(self, vectors: Float32Array, weight: Float32Array, bias: Float32Array) -> None:
        """vectors float32 (items, dimensions), weight float32 (dimensions), bias float32 (1)."""
        self._vectors, self._weight, self._bias = vectors, weight, bias
        self._weighted_vectors = vectors * weight

    def compute_user_features(self, histories: Histories) -> Float32Array:
        """float32 (n, dimensions), rows of length one; zero for a history without features."""
        recent = histories.take_last(self.config.history)
        mean = to_csr(recent, self.items, compute_recency_weights(recent, self.config.decay)) @ self._vectors
        return normalize_rows(np.asarray(mean, dtype=np.float32))

    def _score_batch(self, histories: Histories) -> Float32Array:
        scores: Float32Array = self.compute_user_features(histories) @ self._weighted_vectors.T + self._bias
        return scores

    def _score_history(self, history: Histories) -> Float32Array:
        scores: Float32Array = self._weighted_vectors @ self.compute_user_features(history)[0] + self._bias
        return scores

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        scores: Float32Array = self._vectors[items] @ self._weighted_vectors.T
        return scores

    def _to_arrays(self) -> Arrays:
        return {"vectors": self._vectors, "weight": self._weight, "bias": self._bias}

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        vectors, step = quantize_rows(arrays["vectors"])
        return arrays | {"vectors": vectors, "step": step}

    def _restore_state(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        vectors = dequantize(arrays["vectors"], arrays.get("step"))
        self._set_parameters(vectors, arrays["weight"], arrays["bias"])


def normalize_rows(vectors: Float32Array) -> Float32Array:
    """Rows of length one; rows of zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, np.float32(1e-12)), dtype=np.float32)
