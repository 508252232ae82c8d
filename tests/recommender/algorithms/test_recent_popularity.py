from __future__ import annotations

import numpy as np

from recommender.algorithms.popularity.recent_popularity import RecentPopularity, RecentPopularityConfig
from recommender.dataset import Dataset
from recommender.types import Histories

DAY = 86_400_000


def test_an_event_counts_half_for_each_half_life_of_age() -> None:
    model = RecentPopularity(RecentPopularityConfig(half_life_days=10))
    at = np.array([0, 20 * DAY, 30 * DAY], np.int64)
    model.fit(Dataset.from_events(["u"] * 3, ["a", "b", "c"], timestamp=at), np.random.default_rng(0))
    np.testing.assert_allclose(model.score(Histories.from_lists([[]]))[0], [1 / 8, 1 / 2, 1])
    assert model.fit_note == ""


def test_a_recent_favourite_outranks_an_old_one() -> None:
    at = np.array([0, 0, 0, 300 * DAY, 301 * DAY], np.int64)
    model = RecentPopularity()
    model.fit(
        Dataset.from_events(list("uvwxy"), ["old"] * 3 + ["new"] * 2, timestamp=at), np.random.default_rng(0)
    )
    assert model.recommend(Histories.from_lists([[]]), 2).items.tolist() == [[1, 0]]


def test_without_times_old_events_count_like_new_ones_with_a_note() -> None:
    model = RecentPopularity()
    model.fit(Dataset.from_sequences([[0, 1], [1]]), np.random.default_rng(0))
    assert model.score(Histories.from_lists([[]])).tolist() == [[1.0, 2.0]]
    assert model.fit_note == "the events have no timestamps, so old events count like new ones"
