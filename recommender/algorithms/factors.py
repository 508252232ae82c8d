"""The served half of implicit matrix factorisation: item factors, into which any history is folded. Only numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.ranges import Ranges, Real, Whole
from recommender.algorithms.vectors import Vectors
from recommender.dataset import Dataset
from recommender.types import CannotFit, Floats, Histories, Ints

# A choice that counts less than this beside one that was not made is out of sight: its share of a score is far below
# what tells two items apart, and the system to solve is as large as the choices that are in it.
LEAST_CONFIDENCE = 1e-3


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

    def _install(self, factors: Vectors) -> None:
        """factors: (items, factors); a row of zeros for an item nobody chose."""
        self._factors = factors.prepared()
        wide = factors.wide()
        gram = (wide.T @ wide).astype(np.float64)
        gram[np.diag_indices_from(gram)] += self.config.regularisation
        self._inverse = np.linalg.inv(gram).astype(np.float32)
        self._length = np.maximum(np.linalg.norm(wide, axis=1), np.float32(1e-12))

    def factors(self) -> Floats:
        """float32 (items, factors)."""
        return self._factors.wide()

    def fold_in(self, histories: Histories) -> Floats:
        """float32 (n, factors): what each history wants; zero for an empty one."""
        known = histories.known(self.items)
        out = np.zeros((len(known), self._factors.width), np.float32)
        confidence = self._confidence(known)
        telling = confidence > LEAST_CONFIDENCE
        recent, confidence = known.keep(telling), confidence[telling]
        lengths = recent.lengths
        for length in np.unique(lengths[lengths > 0]).tolist():
            rows = np.flatnonzero(lengths == length)
            chosen = recent.indptr[rows][:, None] + np.arange(length)
            out[rows] = self._solve(self._factors.rows(recent.item[chosen]), confidence[chosen])
        return out

    def _confidence(self, histories: Histories) -> Floats:
        steps = histories.steps_back()
        fade = np.power(np.float32(self.config.decay), np.minimum(steps, 500).astype(np.float32))
        strength = np.where(steps < self.config.history, np.maximum(histories.weight, 0) * fade, 0)
        return np.asarray(self.config.confidence * strength, dtype=np.float32)

    def _solve(self, chosen: Floats, confidence: Floats) -> Floats:
        """chosen float32 (n, length, factors). With G = Y'Y + reg I the solution is G^-1 V' (I + A V G^-1 V')^-1 (1 + a):
        the same by the push-through identity, but a system of the history's length, not of the factors'."""
        spread = chosen @ self._inverse
        system = confidence[:, :, None] * (spread @ chosen.transpose(0, 2, 1))
        system += np.eye(chosen.shape[1], dtype=np.float32)
        share = np.linalg.solve(system, (1 + confidence)[..., None])
        return np.asarray((spread.transpose(0, 2, 1) @ share)[..., 0], dtype=np.float32)

    def _score(self, histories: Histories) -> Floats:
        return self._factors.dot(self.fold_in(histories))

    def _score_one(self, history: Histories) -> Floats:
        confidence = self._confidence(history)
        telling = confidence > LEAST_CONFIDENCE
        if not telling.any():
            return np.zeros(self.items, np.float32)
        chosen = self._factors.rows(history.item[telling])
        return self._factors.dot(self._solve(chosen[None], confidence[None, telling])[0])

    def _similarity(self, items: Ints) -> Floats:
        unit = self._factors.rows(items) / self._length[items][:, None]
        scores: Floats = self._factors.dot(unit) / self._length
        return scores

    def _arrays(self) -> Arrays:
        return self._factors.arrays("factors")

    def _narrowed(self, _arrays: Arrays) -> Arrays:
        return self._factors.narrowed().arrays("factors")

    def _restore(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        self._install(Vectors.of_arrays(arrays, "factors"))
