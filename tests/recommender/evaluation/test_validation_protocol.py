"""Which events are held out to fit the blend."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.dataset import Dataset
from recommender.fitting.fit_ensemble import MIN_VALIDATION_CASES, fit_ensemble
from recommender.fitting.fit_options import FitOptions

DAY = 86_400_000


def make_daily_events(users: int, *, same_start: bool) -> Dataset:
    """Makes ten events of each user, one a day. Users start on the same day, or each one day after the previous user."""
    rows = [(user, day) for user in range(users) for day in range(10)]
    return Dataset.from_events(
        [f"u{user}" for user, _ in rows],
        [f"i{(user + day) % 12}" for user, day in rows],
        timestamp=np.array([(day if same_start else user + day) * DAY for user, day in rows], np.int64),
    )


@pytest.mark.parametrize(("same_start", "protocol"), [(True, "time-split"), (False, "leave-last-out")])
def test_a_time_split_with_too_few_cases_falls_back_to_leave_last_out(
    same_start: bool, protocol: str
) -> None:
    ensemble = fit_ensemble(
        make_daily_events(MIN_VALIDATION_CASES + 20, same_start=same_start),
        FitOptions(model_names=("popularity", "transitions"), protocol="time-split"),
        rng=np.random.default_rng(0),
    )
    assert ensemble.training_report["protocol"] == protocol
    assert ensemble.training_report["validation"]["blend"]["cases"] >= MIN_VALIDATION_CASES
