"""A diagonal bilinear model of item features: its serving half, without scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.search_space import FloatRange, IntRange, SearchSpace
from recommender.algorithms.common.similarity_matrix import sum_item_vectors
from recommender.dataset import Dataset
from recommender.numeric import normalize_rows
from recommender.onnx.int8 import dequantize, quantize_rows
from recommender.types import Float32Array, Histories, InsufficientDataError, Int32Array


@dataclass(frozen=True)
class FeatureInteractionConfig:
    """Parameters of `FeatureInteractionModel`.

    dimensions: Number of SVD components of the item texts.
    min_items: Number of items that a term must occur in.
    max_terms: Size of the TF-IDF vocabulary.
    negatives: Random items that each observed pair is contrasted with.
    max_pairs: Observed (history, next item) pairs to train on, at most.
    l2_penalty: L2 penalty of the weights.
    decay: Weight of an event relative to the event after it.
    history: Number of latest events that count.
    """

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
    """Scores w . (x_u * x_i) + b, with an element-wise product: the log-odds that user u chooses item i.

    x_i is the feature vector of the item, x_u the recency-weighted mean of the history's, both of length one. An
    empty history scores b for every item.
    """

    name = "features"
    label = "Feature interactions"
    relative_cost = 0.1
    reads_content = frozenset({"text", "reviews"})
    uses_behaviour = False
    places_every_item = True
    config_type = FeatureInteractionConfig

    def _fit(
        self,
        _data: Dataset,
        _rng: np.random.Generator,
    ) -> None:
        raise InsufficientDataError("this process serves feature models and does not train them")

    def _set_parameters(
        self,
        vectors: Float32Array,
        weight: Float32Array,
        bias: Float32Array,
    ) -> None:
        """Sets vectors float32 (items, dimensions), weight float32 (dimensions) and bias float32 (1)."""
        self._vectors = vectors
        self._weight = weight
        self._bias = bias
        # w . (x_u * x_i) = x_u . (w * x_i): with weighted item vectors a score is one dot product.
        self._weighted_vectors = vectors * weight

    def compute_user_features(self, histories: Histories) -> Float32Array:
        """Returns x_u, float32 (len(histories), dimensions), of length one, or zero without features."""
        recent = histories.take_last(self.config.history)
        vector_sums = sum_item_vectors(
            recent,
            self._vectors,
            decay=self.config.decay,
        )
        return normalize_rows(np.asarray(vector_sums, dtype=np.float32))

    def _score_batch(self, histories: Histories) -> Float32Array:
        user_features = self.compute_user_features(histories)
        scores: Float32Array = user_features @ self._weighted_vectors.T + self._bias
        return scores

    def score_clean_history(self, history: Histories) -> Float32Array:
        """Scores one history by a matrix-vector product: float32 (items)."""
        user_features = self.compute_user_features(history)[0]
        scores: Float32Array = self._weighted_vectors @ user_features + self._bias
        return scores

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        similarities: Float32Array = self._vectors[items] @ self._weighted_vectors.T
        return similarities

    def _to_arrays(self) -> Arrays:
        return {"vectors": self._vectors, "weight": self._weight, "bias": self._bias}

    def _quantize_arrays(self, arrays: Arrays) -> Arrays:
        vectors, scale = quantize_rows(arrays["vectors"])
        return arrays | {"vectors": vectors, "scale": scale}

    def _restore_state(
        self,
        arrays: Arrays,
        _files: Mapping[str, bytes],
    ) -> None:
        self._set_parameters(
            vectors=dequantize(arrays["vectors"], arrays.get("scale")),
            weight=arrays["weight"],
            bias=arrays["bias"],
        )
