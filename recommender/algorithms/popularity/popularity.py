"""The popularity baseline: how often each item was chosen, whoever the user is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.dataset import Dataset
from recommender.types import Float32Array, Histories, InsufficientDataError, Int32Array
from tenants.common.time_units import DAY_MS


@dataclass(frozen=True)
class PopularityConfig:
    """Parameters of `Popularity`.

    half_life_days: Age, counted back from the latest event, at which an event counts half; zero: no ageing.
    """

    half_life_days: float = 0.0


class Popularity(Recommender[PopularityConfig]):
    """Scores every item by the sum of its event weights; the history has no influence."""

    name = "popularity"
    label = "Popularity"
    relative_cost = 0.01
    uses_behaviour = False
    config_type = PopularityConfig

    def _fit(
        self,
        data: Dataset,
        _rng: np.random.Generator,
    ) -> None:
        event_weights = np.maximum(data.weight, 0).astype(np.float64)
        if self.config.half_life_days > 0 and data.has_timestamps:
            age_days = (data.timestamp.max() - data.timestamp) / DAY_MS
            event_weights *= np.exp2(-age_days / self.config.half_life_days)
        if not event_weights.sum() > 0:
            raise InsufficientDataError("there are no events")
        counts = np.bincount(
            data.item,
            weights=event_weights,
            minlength=data.n_items,
        )
        self._counts = counts.astype(np.float32)

    def _score_batch(self, histories: Histories) -> Float32Array:
        return np.repeat(
            self._counts[None, :],
            len(histories),
            axis=0,
        )

    def score_clean_history(self, _history: Histories) -> Float32Array:
        """Returns a copy of the counts, which callers may overwrite: float32 (items)."""
        return self._counts.copy()

    def _compute_similarities(self, items: Int32Array) -> Float32Array:
        return np.repeat(
            self._counts[None, :],
            len(items),
            axis=0,
        )

    def _to_arrays(self) -> Arrays:
        return {"count": self._counts}

    def _restore_state(
        self,
        arrays: Arrays,
        _files: Mapping[str, bytes],
    ) -> None:
        self._counts = arrays["count"]
