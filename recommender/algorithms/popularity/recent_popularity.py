"""How often each item was chosen of late: the favourites of this month, not of all time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from recommender.algorithms.common.search_space import FloatRange, SearchSpace
from recommender.algorithms.popularity.popularity import Popularity, PopularityConfig
from recommender.dataset import Dataset


@dataclass(frozen=True)
class RecentPopularityConfig(PopularityConfig):
    half_life_days: float = 30.0

    training_space: ClassVar[SearchSpace] = {"half_life_days": FloatRange(0.5, 365, log=True)}


class RecentPopularity(Popularity):
    """An event counts half for every half-life it lies before the latest one; without times all count alike."""

    name = "recent_popularity"
    label = "Recent popularity"
    relative_cost = 0.01
    uses_behaviour = False
    config_type = RecentPopularityConfig

    def _fit(self, data: Dataset, rng: np.random.Generator) -> None:
        super()._fit(data, rng)
        self.fit_note = (
            "" if data.has_timestamps else "the events carry no times, so old ones count like new ones"
        )
