"""How often each item was chosen: the bar every other algorithm must clear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.dataset import Dataset
from recommender.types import CannotFit, Floats, Histories, Ints


@dataclass(frozen=True)
class PopularityConfig:
    """half_life_days halves an event's worth for each such span before the latest event; zero: no ageing."""

    half_life_days: float = 0.0


class Popularity(Recommender[PopularityConfig]):
    name = "popularity"
    config_type = PopularityConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        worth = np.maximum(data.weight, 0).astype(np.float64)
        if self.config.half_life_days > 0 and data.timed:
            age_days = (data.at.max() - data.at) / 86_400_000
            worth *= np.exp2(-age_days / self.config.half_life_days)
        if not worth.sum() > 0:
            raise CannotFit("there are no events")
        self._count = np.bincount(data.item, weights=worth, minlength=data.items).astype(np.float32)

    def _score(self, histories: Histories) -> Floats:
        return np.repeat(self._count[None, :], len(histories), axis=0)

    def _score_one(self, _history: Histories) -> Floats:
        return self._count.copy()

    def _similarity(self, items: Ints) -> Floats:
        return np.repeat(self._count[None, :], len(items), axis=0)

    def _arrays(self) -> Arrays:
        return {"count": self._count}

    def _restore(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        self._count = arrays["count"]
