"""Drift is detected, and neither sampling noise nor too little data raises an alarm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recommender.evaluation.decisions.drift import (
    UNKNOWN_SHIFT,
    DriftConfig,
    find_worst_level,
    measure_coverage_shift,
    measure_score_shift,
    measure_shift,
    psi,
)
from recommender.types import DataError, Int64Array
from tests.proofs import Scale

CONFIG = DriftConfig()
MANY_PROFILES = (5_000, 5_000)


def make_counts(*numbers: int) -> Int64Array:
    return np.array(numbers, dtype=np.int64)


def test_psi_agrees_with_the_textbook_formula() -> None:
    """By hand: (.4-.5) ln(.4/.5) + (.6-.5) ln(.6/.5) = .0405."""
    assert psi(make_counts(50_000, 50_000), make_counts(40_000, 60_000)) == pytest.approx(0.0405, abs=1e-4)
    assert psi(make_counts(7, 9, 0), make_counts(7, 9, 0)) == 0.0


@pytest.mark.parametrize(
    ("latest_counts", "level"),
    [((500, 500), "steady"), ((400, 600), "steady"), ((330, 670), "moved"), ((200, 800), "drifted")],
)
def test_the_levels_are_those_of_credit_scoring(latest_counts: tuple[int, int], level: str) -> None:
    assert (
        measure_shift(make_counts(500, 500), make_counts(*latest_counts), MANY_PROFILES, CONFIG).level
        == level
    )


def test_a_category_that_appears_or_vanishes_is_drift() -> None:
    assert measure_shift(make_counts(900, 0), make_counts(500, 400), MANY_PROFILES, CONFIG).level == "drifted"
    assert measure_shift(make_counts(500, 400), make_counts(900, 0), MANY_PROFILES, CONFIG).level == "drifted"


@pytest.mark.proof(row=32)
def test_sampling_noise_is_no_drift(scale: Scale, figure: Callable[..., bool]) -> None:
    """With twenty bins and few profiles the PSI alone exceeds .25 by chance. The reported level must not."""
    runs, rng = scale(300, 20_000), np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(20))
    pairs = [(rng.multinomial(60, probabilities), rng.multinomial(60, probabilities)) for _ in range(runs)]
    n_bare_alarms = sum(psi(reference, current) >= CONFIG.moved for reference, current in pairs)
    n_alarms = sum(
        measure_shift(reference, current, (60, 60), CONFIG).level != "steady" for reference, current in pairs
    )
    assert n_bare_alarms > 0.5 * runs
    assert figure("alarms without a change", n_alarms, of=runs, passes=n_alarms <= max(2, 0.004 * runs))


@pytest.mark.parametrize(
    ("reference", "current", "n_profiles"),
    [
        ((0, 0), (5, 5), MANY_PROFILES),
        ((5, 5), (0, 0), MANY_PROFILES),
        ((0, 0), (0, 0), (0, 0)),
        ((9, 0), (0, 9), (49, 5_000)),
    ],
)
def test_too_little_data_is_unknown(
    reference: tuple[int, int], current: tuple[int, int], n_profiles: tuple[int, int]
) -> None:
    assert measure_shift(make_counts(*reference), make_counts(*current), n_profiles, CONFIG) == UNKNOWN_SHIFT


def test_a_constant_input_is_steady() -> None:
    assert measure_shift(make_counts(0, 900), make_counts(0, 300), MANY_PROFILES, CONFIG).level == "steady"


def test_falling_scores_are_drift_and_stable_ones_are_not() -> None:
    rng = np.random.default_rng(1)
    reference_scores, same, lower = rng.normal(3, 1, 500), rng.normal(3, 1, 500), rng.normal(2, 1, 500)
    assert measure_score_shift(reference_scores, same, CONFIG).level == "steady"
    assert measure_score_shift(reference_scores, lower, CONFIG).level == "drifted"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_scores_are_ignored(value: float) -> None:
    reference_scores = np.random.default_rng(1).normal(3, 1, 500)
    mixed = np.r_[reference_scores, np.full(100, value)]
    assert measure_score_shift(mixed, mixed, CONFIG).level == "steady"
    assert measure_score_shift(np.full(500, value), reference_scores, CONFIG) == UNKNOWN_SHIFT


def test_equal_scores_are_steady() -> None:
    assert measure_score_shift(np.ones(200), np.ones(200), CONFIG).level == "steady"


def test_falling_catalogue_coverage_is_drift() -> None:
    rng = np.random.default_rng(2)
    wide_lists, narrow_lists = (rng.integers(0, items, (400, 10)).astype(np.int32) for items in (1_000, 300))
    other_wide_lists = rng.integers(0, 1_000, (400, 10)).astype(np.int32)
    assert measure_coverage_shift(wide_lists, other_wide_lists, CONFIG).level == "steady"
    assert measure_coverage_shift(wide_lists, narrow_lists, CONFIG).level == "drifted"
    assert measure_coverage_shift(np.full((400, 10), -1, np.int32), narrow_lists, CONFIG) == UNKNOWN_SHIFT


def test_the_worst_level_is_reported() -> None:
    steady, drifted = (
        measure_shift(make_counts(5, 5), make_counts(5, 5), MANY_PROFILES, CONFIG),
        measure_shift(make_counts(90, 1), make_counts(1, 90), MANY_PROFILES, CONFIG),
    )
    assert find_worst_level({"a": steady, "b": drifted, "c": UNKNOWN_SHIFT}) == "drifted"
    assert find_worst_level({"c": UNKNOWN_SHIFT}) == find_worst_level({}) == "unknown"


@pytest.mark.parametrize(
    "settings", [{"moved": 0.3}, {"moved": 0.0}, {"min_profiles": 1}, {"false_alarm_rate": 0.0}]
)
def test_contradictory_thresholds_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(DataError):
        DriftConfig(**settings)  # type: ignore[arg-type]
