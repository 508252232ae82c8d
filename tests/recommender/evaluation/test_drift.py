"""Drift is seen where there is some, and neither chance nor too little data makes an alarm."""

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
MANY = (5_000, 5_000)


def make_counts(*numbers: int) -> Int64Array:
    return np.array(numbers, dtype=np.int64)


def test_the_index_is_that_of_the_textbook() -> None:
    """By hand: (.4-.5) ln(.4/.5) + (.6-.5) ln(.6/.5) = .0405."""
    assert psi(make_counts(50_000, 50_000), make_counts(40_000, 60_000)) == pytest.approx(0.0405, abs=1e-4)
    assert psi(make_counts(7, 9, 0), make_counts(7, 9, 0)) == 0.0


@pytest.mark.parametrize(
    ("latest", "level"),
    [((500, 500), "steady"), ((400, 600), "steady"), ((330, 670), "moved"), ((200, 800), "drifted")],
)
def test_the_levels_are_those_of_credit_scoring(latest: tuple[int, int], level: str) -> None:
    assert measure_shift(make_counts(500, 500), make_counts(*latest), MANY, CONFIG).level == level


def test_a_kind_that_appears_and_one_that_vanishes_are_drift() -> None:
    assert measure_shift(make_counts(900, 0), make_counts(500, 400), MANY, CONFIG).level == "drifted"
    assert measure_shift(make_counts(500, 400), make_counts(900, 0), MANY, CONFIG).level == "drifted"


@pytest.mark.proof(row=32)
def test_chance_is_no_drift(scale: Scale, figure: Callable[..., bool]) -> None:
    """Twenty bins and few profiles: the bare index passes .25 by chance; what is said must not."""
    runs, rng = scale(300, 20_000), np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(20))
    pairs = [(rng.multinomial(60, shares), rng.multinomial(60, shares)) for _ in range(runs)]
    bare = sum(psi(one, other) >= CONFIG.moved for one, other in pairs)
    said = sum(measure_shift(one, other, (60, 60), CONFIG).level != "steady" for one, other in pairs)
    assert bare > 0.5 * runs
    assert figure("alarms without a change", said, of=runs, passes=said <= max(2, 0.004 * runs))


@pytest.mark.parametrize(
    ("one", "other", "people"),
    [((0, 0), (5, 5), MANY), ((5, 5), (0, 0), MANY), ((0, 0), (0, 0), (0, 0)), ((9, 0), (0, 9), (49, 5_000))],
)
def test_nothing_or_too_little_is_unknown(
    one: tuple[int, int], other: tuple[int, int], people: tuple[int, int]
) -> None:
    assert measure_shift(make_counts(*one), make_counts(*other), people, CONFIG) == UNKNOWN_SHIFT


def test_a_constant_input_is_steady() -> None:
    assert measure_shift(make_counts(0, 900), make_counts(0, 300), MANY, CONFIG).level == "steady"


def test_scores_that_fall_are_drift_and_those_that_stay_are_not() -> None:
    rng = np.random.default_rng(1)
    before, same, lower = rng.normal(3, 1, 500), rng.normal(3, 1, 500), rng.normal(2, 1, 500)
    assert measure_score_shift(before, same, CONFIG).level == "steady"
    assert measure_score_shift(before, lower, CONFIG).level == "drifted"


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_left_out(wrong: float) -> None:
    before = np.random.default_rng(1).normal(3, 1, 500)
    mixed = np.r_[before, np.full(100, wrong)]
    assert measure_score_shift(mixed, mixed, CONFIG).level == "steady"
    assert measure_score_shift(np.full(500, wrong), before, CONFIG) == UNKNOWN_SHIFT


def test_equal_scores_are_steady() -> None:
    assert measure_score_shift(np.ones(200), np.ones(200), CONFIG).level == "steady"


def test_lists_that_narrow_are_drift() -> None:
    rng = np.random.default_rng(2)
    wide, narrow = (rng.integers(0, items, (400, 10)).astype(np.int32) for items in (1_000, 300))
    assert (
        measure_coverage_shift(wide, rng.integers(0, 1_000, (400, 10)).astype(np.int32), CONFIG).level
        == "steady"
    )
    assert measure_coverage_shift(wide, narrow, CONFIG).level == "drifted"
    assert measure_coverage_shift(np.full((400, 10), -1, np.int32), narrow, CONFIG) == UNKNOWN_SHIFT


def test_the_worst_of_several_is_what_is_said() -> None:
    steady, drifted = (
        measure_shift(make_counts(5, 5), make_counts(5, 5), MANY, CONFIG),
        measure_shift(make_counts(90, 1), make_counts(1, 90), MANY, CONFIG),
    )
    assert find_worst_level({"a": steady, "b": drifted, "c": UNKNOWN_SHIFT}) == "drifted"
    assert find_worst_level({"c": UNKNOWN_SHIFT}) == find_worst_level({}) == "unknown"


@pytest.mark.parametrize(
    "wrong", [{"moved": 0.3}, {"moved": 0.0}, {"min_profiles": 1}, {"false_alarm_rate": 0.0}]
)
def test_thresholds_that_contradict_each_other_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError):
        DriftConfig(**wrong)  # type: ignore[arg-type]
