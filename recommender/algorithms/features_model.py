"""The served half of the feature model: what a person likes is read from the features of what they chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.narrow import narrow_rows, widened
from recommender.algorithms.neighbours import as_matrix, faded
from recommender.algorithms.ranges import Ranges, Real, Whole
from recommender.dataset import Dataset
from recommender.types import CannotFit, Floats, Histories, Ints


@dataclass(frozen=True)
class FeaturesConfig:
    """dimensions: to which texts are reduced. Each of at most most_pairs observed pairs is told from `negatives`
    items drawn evenly; penalty is the L2 penalty of w."""

    dimensions: int = 128
    min_items: int = 2
    max_terms: int = 100_000
    negatives: int = 4
    most_pairs: int = 60_000
    penalty: float = 1.0
    decay: float = 0.65
    history: int = 50

    when_learning: ClassVar[Ranges] = {
        "decay": Real(0.2, 1.0),
        "penalty": Real(0.01, 100, log=True),
        "dimensions": Whole(32, 256, log=True),
    }


class FeaturesScorer(Recommender[FeaturesConfig]):
    """Scores w . (x_u * x_i) + b, the product element by element: the log-odds that u chooses i.

    x_i are unit vectors of the item's text, x_u is the faded mean of the history's, scaled to length one; an empty
    history scores b everywhere."""

    name = "features"
    config_type = FeaturesConfig

    def _fit(self, _data: Dataset, _rng: np.random.Generator) -> None:
        raise CannotFit("this process serves feature models and does not train them")

    def _install(self, vectors: Floats, weight: Floats, bias: Floats) -> None:
        """vectors float32 (items, dimensions), weight float32 (dimensions), bias float32 (1)."""
        self._vectors, self._weight, self._bias = vectors, weight, bias
        self._weighted = vectors * weight

    def user_features(self, histories: Histories) -> Floats:
        """float32 (n, dimensions), rows of length one; zero for a history without features."""
        recent = histories.latest(self.config.history)
        mean = as_matrix(recent, self.items, faded(recent, self.config.decay)) @ self._vectors
        return unit(np.asarray(mean, dtype=np.float32))

    def _score(self, histories: Histories) -> Floats:
        scores: Floats = self.user_features(histories) @ self._weighted.T + self._bias
        return scores

    def _score_one(self, history: Histories) -> Floats:
        scores: Floats = self._weighted @ self.user_features(history)[0] + self._bias
        return scores

    def _similarity(self, items: Ints) -> Floats:
        scores: Floats = self._vectors[items] @ self._weighted.T
        return scores

    def _arrays(self) -> Arrays:
        return {"vectors": self._vectors, "weight": self._weight, "bias": self._bias}

    def _narrowed(self, arrays: Arrays) -> Arrays:
        vectors, step = narrow_rows(arrays["vectors"])
        return arrays | {"vectors": vectors, "step": step}

    def _restore(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        vectors = widened(arrays["vectors"], arrays.get("step"))
        self._install(vectors, arrays["weight"], arrays["bias"])


def unit(vectors: Floats) -> Floats:
    """Rows of length one; rows of zeros stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, np.float32(1e-12)), dtype=np.float32)
