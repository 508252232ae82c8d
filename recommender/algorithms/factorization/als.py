"""Implicit-feedback matrix factorisation: the serving half, which folds any history into the item factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.embedding_table import EmbeddingTable
from recommender.algorithms.common.search_space import FloatRange, IntRange, SearchSpace
from recommender.dataset import Dataset
from recommender.numeric import EPSILON
from recommender.types import BoolArray, Float32Array, Histories, InsufficientDataError, Int32Array

# Events below this confidence are left out of the fold-in: they change scores by less than what separates two items,
# and the linear system to solve has one equation per event.
MIN_CONFIDENCE = 1e-3
# Distances are capped: the weight of an older event is negligible, and float32 would underflow.
_MAX_DISTANCE = 500


@dataclass(frozen=True)
class ImplicitALSConfig:
    """Parameters of `ImplicitALS`.

    factors: Number of latent factors.
    regularisation: L2 penalty of the factors.
    confidence: A chosen item has confidence 1 + `confidence`, any other item 1 (Hu, Koren and Volinsky 2008).
    iterations: Number of alternating sweeps.
    decay: Weight of an event relative to the event after it, when a history is folded in.
    history: Number of latest events that count.
    """

    factors: int = 192
    regularisation: float = 1.0
    confidence: float = 60.0
    iterations: int = 8
    decay: float = 0.4
    history: int = 50

    inference_space: ClassVar[SearchSpace] = {"decay": FloatRange(0.1, 1.0)}
    training_space: ClassVar[SearchSpace] = {
        "regularisation": FloatRange(0.01, 100, log=True),
        "confidence": FloatRange(1, 300, log=True),
        "factors": IntRange(32, 256, log=True),
    }


class ImplicitALS(Recommender[ImplicitALSConfig]):
    """Scores y_i . x_u, where x_u solves (Y'Y + reg I + V'AV) x = V'(1 + a).

    Y holds the factors of all items, V those of the history's items, a their confidence faded by age, A = diag(a).
    Users have no stored factors: x_u is computed from the history alone, so unseen users are served like others. An
    empty history scores zero for every item.
    """

    name = "factors"
    label = "Matrix factorisation (ALS)"
    relative_cost = 0.1
    config_type = ImplicitALSConfig

    def _fit(
        self,
        _data: Dataset,
        _rng: np.random.Generator,
    ) -> None:
        raise InsufficientDataError("this process serves factor models and does not train them")

    def _set_factors(self, factors: EmbeddingTable) -> None:
        """Sets the item factors (items, factors); an item without events has a row of zeros."""
        self._factors = factors.prepare_session()
        item_factors = factors.to_float32()
        gram = (item_factors.T @ item_factors).astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.config.regularisation
        self._gram_inverse = np.linalg.inv(gram).astype(np.float32)
        self._item_norms = np.maximum(np.linalg.norm(item_factors, axis=1), np.float32(EPSILON))

    def get_item_factors(self) -> Float32Array:
        """Returns the item factors, float32 (items, factors)."""
        return self._factors.to_float32()

    def fold_in(self, histories: Histories) -> Float32Array:
        """Returns the user factors x_u of histories, float32 (len(histories), factors); zero for an empty one."""
        clean = histories.drop_unknown_and_repeats(self.items)
        user_factors = np.zeros((len(clean), self._factors.width), np.float32)
        confidence = self._compute_confidence(clean)
        is_relevant = confidence > MIN_CONFIDENCE
        relevant = clean.filter_events(is_relevant)
        confidence = confidence[is_relevant]
        lengths = relevant.lengths
        # Histories of equal length make one stack of equally large systems, without padding.
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            # (rows, length): positions of the events of each history.
            events = relevant.indptr[rows][:, None] + np.arange(length)
            user_factors[rows] = self._solve_user_factors(
                item_factors=self._factors.get_rows(relevant.item[events]),
                confidence=confidence[events],
            )
        return user_factors

    def _compute_confidence(self, histories: Histories) -> Float32Array:
        distance = histories.distance_from_end()
        exponent = np.minimum(distance, _MAX_DISTANCE).astype(np.float32)
        fading = np.power(np.float32(self.config.decay), exponent)
        is_recent: BoolArray = distance < self.config.history
        # A disliked item has a negative weight: it has the confidence of an item that was not chosen.
        strength = np.where(is_recent, np.maximum(histories.weight, 0) * fading, 0)
        return np.asarray(self.config.confidence * strength, dtype=np.float32)

    def _solve_user_factors(
        self,
        item_factors: Float32Array,
        confidence: Float32Array,
    ) -> Float32Array:
        """Solves for x_u, float32 (n, factors).

        With G = Y'Y + reg I the solution is G^-1 V' (I + A V G^-1 V')^-1 (1 + a). By the push-through identity it
        equals the solution in the class docstring, but the system is as large as the history instead of the number
        of factors.

        Args:
            item_factors: V of each history, float32 (n, length, factors).
            confidence: a of each history, float32 (n, length).
        """
        # V G^-1, shape (n, length, factors); G is symmetric.
        projected = item_factors @ self._gram_inverse
        system = confidence[:, :, None] * (projected @ item_factors.transpose(0, 2, 1))
        system += np.eye(item_factors.shape[1], dtype=np.float32)
        event_weights = np.linalg.solve(system, (1 + confidence)[..., None])
        return np.asarray((projected.transpose(0, 2, 1) @ event_weights)[..., 0], dtype=np.float32)

    def _score_batch(self, histories: Histories) -> Float32Array:
        return self._factors.dot(self.fold_in(histories))

    def score_clean_history(self, history: Histories) -> Float32Array:
        """Scores one history without grouping by length: float32 (items)."""
        confidence = self._compute_confidence(history)
        is_relevant = confidence > MIN_CONFIDENCE
        if not is_relevant.any():
            return np.zeros(self.items, np.float32)
        item_factors = self._factors.get_rows(history.item[is_relevant])
        user_factors = self._solve_user_factors(item_factors[None], confidence[None, is_relevant])
        return self._factors.dot(user_factors[0])

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        unit_factors = self._factors.get_rows(items) / self._item_norms[items][:, None]
        similarities: Float32Array = self._factors.dot(unit_factors) / self._item_norms
        return similarities

    def _to_arrays(self) -> Arrays:
        return self._factors.to_arrays("factors")

    def _quantize_arrays(self, _arrays: Arrays) -> Arrays:
        from recommender.algorithms.common.embedding_table_onnx import quantize_table  # noqa: PLC0415 - loads onnx, which serving does not install

        return quantize_table(self._factors).to_arrays("factors")

    def _restore_state(
        self,
        arrays: Arrays,
        _files: Mapping[str, bytes],
    ) -> None:
        self._set_factors(EmbeddingTable.from_arrays(arrays, "factors"))
