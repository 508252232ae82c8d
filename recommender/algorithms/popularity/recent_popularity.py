"""Popularity in which recent events count more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.algorithms.common.search_space import FloatRange, SearchSpace
from recommender.algorithms.popularity.popularity import Popularity, PopularityConfig
from recommender.dataset import Dataset


@dataclass(frozen=True)
class RecentPopularityConfig(PopularityConfig):
    """Parameters of `RecentPopularity`, as those of `Popularity` with a finite half-life."""

    half_life_days: float = 30.0

    training_space: ClassVar[SearchSpace] = {"half_life_days": FloatRange(0.5, 365, log=True)}


class RecentPopularity(Popularity):
    """Exponentially decayed popularity: an event counts half for each half-life before the latest event.

    Without timestamps all events count alike, and `fit_note` says so.
    """

    name = "recent_popularity"
    label = "Recent popularity"
    relative_cost = 0.01
    uses_behaviour = False
    config_type = RecentPopularityConfig

    def _fit(
        self,
        data: Dataset,
        rng: np.random.Generator,
    ) -> None:
        super()._fit(data, rng)
        self.fit_note = ""
        if not data.has_timestamps:
            self.fit_note = "the events have no timestamps, so old events count like new ones"
