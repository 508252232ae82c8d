"""The served half of implicit matrix factorisation: item factors, into which any history is folded. Only numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.narrow import narrow_rows, widened
from recommender.algorithms.ranges import Ranges, Real, Whole
from recommender.dataset import Dataset
from recommender.types import CannotFit, Floats, Histories, Ints


@dataclass(frozen=True)
class FactorsConfig:
    """An item chosen has confidence 1 + confidence, one not chosen 1 (Hu, Koren, Volinsky 2008)."""

    factors: int = 192
    regularisation: float = 1.0
    confidence: float = 60.0
    iterations: int = 8
    decay: float = 0.4
    history: int = 50

    when_scoring: ClassVar[Ranges] = {"decay": Real(0.1, 1.0)}
    when_learning: ClassVar[Ranges] = {
        "regularisation": Real(0.01, 100, log=True),
        "confidence": Real(1, 300, log=True),
        "factors": Whole(32, 256, log=True),
    }


class FactorsScorer(Recommender[FactorsConfig]):
    """Scores y_i . x_u, where x_u solves the regularised normal equations of the history against the item factors:

    (Y'Y + reg I + V'AV) x = V'(1 + a), V the factors of its items and a their confidence, faded by age. Nothing is
    stored of a user, so a stranger is served like everybody; an empty history scores zero everywhere."""

    name = "factors"
    config_type = FactorsConfig

    def _fit(self, _data: Dataset, _rng: np.random.Generator) -> None:
        raise CannotFit("this process serves factor models and does not train them")

    def _install(self, factors: Floats) -> None:
        """factors: float32 (items, factors); a row of zeros for an item nobody chose."""
        self._factors = np.ascontiguousarray(factors, dtype=np.float32)
        gram = (self._factors.T @ self._factors).astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.config.regularisation
        self._inverse = np.linalg.inv(gram).astype(np.float32)

    def fold_in(self, histories: Histories) -> Floats:
        """float32 (n, factors): what each history wants; zero for an empty one."""
        recent = histories.known(self.items).latest(self.config.history)
        out = np.zeros((len(recent), self._factors.shape[1]), np.float32)
        lengths = recent.lengths
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            part = recent.take(rows)
            confidence = self._confidence(part).reshape(len(rows), length)
            out[rows] = self._solve(self._factors[part.item.reshape(len(rows), length)], confidence)
        return out

    def _confidence(self, histories: Histories) -> Floats:
        fade = np.power(np.float32(self.config.decay), histories.steps_back().astype(np.float32))
        strength = np.maximum(histories.weight, 0) * fade
        return np.asarray(self.config.confidence * strength, dtype=np.float32)

    def _solve(self, chosen: Floats, confidence: Floats) -> Floats:
        """chosen float32 (n, length, factors). With G = Y'Y + reg I the solution is G^-1 V' (I + A V G^-1 V')^-1 (1 + a):
        the same by the push-through identity, but a system of the history's length, not of the factors'."""
        spread = chosen @ self._inverse
        system = confidence[:, :, None] * (spread @ chosen.transpose(0, 2, 1))
        system += np.eye(chosen.shape[1], dtype=np.float32)
        share = np.linalg.solve(system, np.where(confidence > 0, 1 + confidence, 0)[..., None])
        return np.asarray((spread.transpose(0, 2, 1) @ share)[..., 0], dtype=np.float32)

    def _score(self, histories: Histories) -> Floats:
        scores: Floats = self.fold_in(histories) @ self._factors.T
        return scores

    def _score_one(self, history: Histories) -> Floats:
        scores: Floats = self._factors @ self.fold_in(history)[0]
        return scores

    def _similarity(self, items: Ints) -> Floats:
        length = np.linalg.norm(self._factors, axis=1, keepdims=True)
        unit = self._factors / np.maximum(length, np.float32(1e-12))
        scores: Floats = unit[items] @ unit.T
        return scores

    def _arrays(self) -> Arrays:
        return {"factors": self._factors}

    def _narrowed(self, arrays: Arrays) -> Arrays:
        factors, step = narrow_rows(arrays["factors"])
        return {"factors": factors, "step": step}

    def _restore(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        self._install(widened(arrays["factors"], arrays.get("step")))
