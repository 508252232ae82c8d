"""The served half of implicit matrix factorisation: item factors, into which any history is folded. Only numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.common.embedding_table import EmbeddingTable
from recommender.algorithms.common.search_space import FloatRange, IntRange, SearchSpace
from recommender.dataset import Dataset
from recommender.types import Float32Array, Histories, InsufficientDataError, Int32Array

# A choice that counts less than this beside one that was not made is out of sight: its share of a score is far below
# what tells two items apart, and the system to solve is as large as the choices that are in it.
MIN_CONFIDENCE = 1e-3


@dataclass(frozen=True)
class ImplicitALSConfig:
    """An item chosen has confidence 1 + confidence, one not chosen 1 (Hu, Koren, Volinsky 2008)."""

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
    """Scores y_i . x_u, where x_u solves the regularised normal equations of the history against the item factors:

    (Y'Y + reg I + V'AV) x = V'(1 + a), V the factors of its items and a their confidence, faded by age. Nothing is
    stored of a user, so a stranger is served like everybody; an empty history scores zero everywhere."""

    name = "factors"
    label = "Matrix factorisation (ALS)"
    relative_cost = 0.1
    config_type = ImplicitALSConfig

    def _fit(self, _data: Dataset, _rng: np.random.Generator) -> None:
        raise InsufficientDataError("this process serves factor models and does not train them")

    def _set_factors(self, factors: EmbeddingTable) -> None:
        """factors: (items, factors); a row of zeros for an item nobody chose."""
        self._factors = factors.prepare_session()
        wide = factors.to_float32()
        gram = (wide.T @ wide).astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.config.regularisation
        self._gram_inverse = np.linalg.inv(gram).astype(np.float32)
        self._item_norms = np.maximum(np.linalg.norm(wide, axis=1), np.float32(1e-12))

    def get_item_factors(self) -> Float32Array:
        """float32 (items, factors)."""
        return self._factors.to_float32()

    def fold_in(self, histories: Histories) -> Float32Array:
        """float32 (n, factors): what each history wants; zero for an empty one."""
        known = histories.drop_unknown_and_repeats(self.items)
        out = np.zeros((len(known), self._factors.width), np.float32)
        confidence = self._compute_confidence(known)
        telling = confidence > MIN_CONFIDENCE
        recent, confidence = known.filter_events(telling), confidence[telling]
        lengths = recent.lengths
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            chosen = recent.indptr[rows][:, None] + np.arange(length)
            out[rows] = self._solve_user_factors(
                self._factors.get_rows(recent.item[chosen]), confidence[chosen]
            )
        return out

    def _compute_confidence(self, histories: Histories) -> Float32Array:
        steps = histories.distance_from_end()
        fade = np.power(np.float32(self.config.decay), np.minimum(steps, 500).astype(np.float32))
        strength = np.where(steps < self.config.history, np.maximum(histories.weight, 0) * fade, 0)
        return np.asarray(self.config.confidence * strength, dtype=np.float32)

    def _solve_user_factors(self, item_factors: Float32Array, confidence: Float32Array) -> Float32Array:
        """chosen float32 (n, length, factors). With G = Y'Y + reg I the solution is G^-1 V' (I + A V G^-1 V')^-1 (1 + a):
        the same by the push-through identity, but a system of the history's length, not of the factors'."""
        spread = item_factors @ self._gram_inverse
        system = confidence[:, :, None] * (spread @ item_factors.transpose(0, 2, 1))
        system += np.eye(item_factors.shape[1], dtype=np.float32)
        share = np.linalg.solve(system, (1 + confidence)[..., None])
        return np.asarray((spread.transpose(0, 2, 1) @ share)[..., 0], dtype=np.float32)

    def _score_batch(self, histories: Histories) -> Float32Array:
        return self._factors.dot(self.fold_in(histories))

    def _score_history(self, history: Histories) -> Float32Array:
        confidence = self._compute_confidence(history)
        telling = confidence > MIN_CONFIDENCE
        if not telling.any():
            return np.zeros(self.items, np.float32)
        chosen = self._factors.get_rows(history.item[telling])
        return self._factors.dot(self._solve_user_factors(chosen[None], confidence[None, telling])[0])

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        unit = self._factors.get_rows(items) / self._item_norms[items][:, None]
        scores: Float32Array = self._factors.dot(unit) / self._item_norms
        return scores

    def _to_arrays(self) -> Arrays:
        return self._factors.to_arrays("factors")

    def _quantize_arrays(self, _arrays: Arrays) -> Arrays:
        return self._factors.quantize().to_arrays("factors")

    def _restore_state(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        self._set_factors(EmbeddingTable.from_arrays(arrays, "factors"))
