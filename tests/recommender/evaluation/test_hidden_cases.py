"""How events are hidden to learn the blend from."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.dataset import Dataset
from recommender.fitting.fit_ensemble import MIN_VALIDATION_CASES, fit_ensemble
from recommender.fitting.fit_options import FitOptions

DAY = 86_400_000


def make_daily_events(users: int, *, at_once: bool) -> Dataset:
    """Ten events of each user, one a day; all from the same day on, or each user from one day later."""
    rows = [(user, day) for user in range(users) for day in range(10)]
    return Dataset.from_events(
        [f"u{user}" for user, _ in rows],
        [f"i{(user + day) % 12}" for user, day in rows],
        timestamp=np.array([(day if at_once else user + day) * DAY for user, day in rows], np.int64),
    )


@pytest.mark.parametrize(("at_once", "protocol"), [(True, "time-split"), (False, "leave-last-out")])
def test_a_split_by_time_that_few_users_outlive_gives_way_to_each_last_event(
    at_once: bool, protocol: str
) -> None:
    ensemble = fit_ensemble(
        make_daily_events(MIN_VALIDATION_CASES + 20, at_once=at_once),
        FitOptions(model_names=("popularity", "transitions"), protocol="time-split"),
        rng=np.random.default_rng(0),
    )
    assert ensemble.training_report["protocol"] == protocol
    assert ensemble.training_report["validation"]["blend"]["cases"] >= MIN_VALIDATION_CASES
