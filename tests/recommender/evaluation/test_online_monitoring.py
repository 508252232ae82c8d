"""Degradation beyond chance is detected. Chance is not, whatever the number of interim analyses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recommender.evaluation.decisions.online_monitoring import (
    OnlineTestConfig,
    ServedRecommendations,
    run_interim_analysis,
)
from recommender.types import DataError
from tests.proofs import Scale

CONFIG = OnlineTestConfig()


def simulate_recommendations(
    count: int, click_rate: float, seed: int, *, dismissal_rate: float = 0.02, n_profiles: int = 400
) -> ServedRecommendations:
    """Simulates two scenarios, the second with half the clicks. Profiles differ in their propensity to click."""
    rng = np.random.default_rng(seed)
    profile, scenario = rng.integers(0, n_profiles, count), rng.integers(0, 2, count)
    click_propensity = np.random.default_rng(99).gamma(4, 1 / 4, n_profiles)
    clicked = rng.random(count) < click_rate * click_propensity[profile] * np.where(scenario == 1, 0.5, 1.0)
    outcomes = {
        "clicks": clicked,
        "conversions": clicked & (rng.random(count) < 0.2),
        "dismissals": rng.random(count) < dismissal_rate,
    }
    return ServedRecommendations(profile.astype(np.int32), scenario.astype(np.int32), outcomes)  # type: ignore[arg-type]


def take_first(recommendations: ServedRecommendations, count: int) -> ServedRecommendations:
    outcomes = {name: outcome[:count] for name, outcome in recommendations.outcomes.items()}
    return ServedRecommendations(recommendations.profile[:count], recommendations.scenario[:count], outcomes)


def run_interim_analyses(
    candidate: ServedRecommendations, baseline: ServedRecommendations, n_analyses: int = 40
) -> tuple[tuple[str, ...], int]:
    """Runs `n_analyses` interim analyses of a growing sample.

    Returns the first degraded outcomes and the sample size at which they were detected.
    """
    last_analysis = 0
    for count in np.linspace(100, len(candidate), n_analyses).astype(int):
        analysis = run_interim_analysis(
            take_first(candidate, count), baseline, last_analysis=last_analysis, config=CONFIG
        )
        if analysis.degraded:
            return analysis.degraded, int(count)
        last_analysis = analysis.number
    return (), len(candidate)


@pytest.mark.proof(row=31)
def test_an_equal_version_is_rarely_rolled_back(scale: Scale, figure: Callable[..., bool]) -> None:
    pairs = scale(30, 600)
    n_rolled_back = 0
    for n in range(pairs):
        candidate = simulate_recommendations(6_000, 0.1, 2 * n)
        baseline = simulate_recommendations(6_000, 0.1, 2 * n + 1)
        degraded, _count = run_interim_analyses(candidate, baseline)
        n_rolled_back += bool(degraded)
    assert figure(
        "equal versions taken back", n_rolled_back, of=pairs, passes=n_rolled_back <= max(0, 0.002 * pairs)
    )


@pytest.mark.proof(row=31)
def test_halved_clicks_are_detected(scale: Scale, figure: Callable[..., bool]) -> None:
    pairs = scale(10, 200)
    n_detected, counts = 0, []
    for n in range(pairs):
        candidate = simulate_recommendations(6_000, 0.05, 2 * n)
        baseline = simulate_recommendations(6_000, 0.1, 2 * n + 1)
        degraded, count = run_interim_analyses(candidate, baseline)
        n_detected += "clicks" in degraded
        counts.append(count)
    figure("answers until a halving is seen, median", float(np.median(counts)), passes=True)
    assert figure("halved clicks seen within 6,000 answers", n_detected, of=pairs, passes=n_detected == pairs)


def test_zero_clicks_are_detected() -> None:
    candidate = simulate_recommendations(3_000, 0.0, 1)
    baseline = simulate_recommendations(3_000, 0.1, 2)
    assert "clicks" in run_interim_analyses(candidate, baseline)[0]


def test_new_dismissals_are_detected() -> None:
    candidate = simulate_recommendations(3_000, 0.1, 1, dismissal_rate=0.2)
    baseline = simulate_recommendations(3_000, 0.1, 2, dismissal_rate=0.0)
    assert "dismissals" in run_interim_analyses(candidate, baseline)[0]


def test_more_clicks_and_fewer_dismissals_are_no_degradation() -> None:
    candidate = simulate_recommendations(6_000, 0.2, 1, dismissal_rate=0.0)
    baseline = simulate_recommendations(6_000, 0.1, 2, dismissal_rate=0.2)
    assert run_interim_analyses(candidate, baseline)[0] == ()


def test_another_mix_of_scenarios_is_no_degradation() -> None:
    """The candidate serves mostly the scenario with fewer clicks. In each scenario it is as good."""
    baseline = simulate_recommendations(20_000, 0.2, 1, n_profiles=4_000)
    candidate = simulate_recommendations(20_000, 0.2, 2, n_profiles=4_000)
    mask = (candidate.scenario == 1) | (np.arange(20_000) % 50 == 0)
    candidate = ServedRecommendations(
        candidate.profile[mask],
        candidate.scenario[mask],
        {name: outcome[mask] for name, outcome in candidate.outcomes.items()},
    )
    assert candidate.outcomes["clicks"].mean() < 0.7 * baseline.outcomes["clicks"].mean()
    assert run_interim_analyses(candidate, baseline)[0] == ()


def test_clicks_of_a_single_profile_are_no_evidence() -> None:
    """All clicks of the baseline are those of one profile, so their end is no evidence of degradation."""
    baseline, candidate = simulate_recommendations(1_000, 0.0, 1), simulate_recommendations(1_000, 0.0, 2)
    baseline.outcomes["clicks"][:] = baseline.profile == baseline.profile[0]
    profile = np.where(np.arange(1_000) < 120, 0, baseline.profile + 1).astype(np.int32)
    outcomes = {**baseline.outcomes, "clicks": profile == 0}
    single_clicker = ServedRecommendations(profile, baseline.scenario, outcomes)
    assert run_interim_analysis(candidate, single_clicker, last_analysis=0, config=CONFIG).degraded == ()


def test_an_interim_analysis_is_not_repeated() -> None:
    candidate, baseline = simulate_recommendations(900, 0.0, 1), simulate_recommendations(900, 0.2, 2)
    analysis = run_interim_analysis(candidate, baseline, last_analysis=0, config=CONFIG)
    assert "clicks" in analysis.degraded
    assert (
        run_interim_analysis(candidate, baseline, last_analysis=analysis.number, config=CONFIG).degraded == ()
    )


@pytest.mark.parametrize(
    ("n_candidate", "n_baseline"), [(0, 0), (0, 5_000), (199, 5_000), (5_000, 199), (5_000, 0)]
)
def test_too_few_recommendations_of_either_version_give_no_analysis(
    n_candidate: int, n_baseline: int
) -> None:
    analysis = run_interim_analysis(
        simulate_recommendations(n_candidate, 0.0, 1),
        simulate_recommendations(n_baseline, 0.3, 2),
        last_analysis=0,
        config=CONFIG,
    )
    assert (analysis.number, analysis.degraded, analysis.rates) == (0, (), {})


def test_scenarios_that_only_one_version_served_are_not_compared() -> None:
    candidate, baseline = simulate_recommendations(1_000, 0.0, 1), simulate_recommendations(1_000, 0.3, 2)
    other_scenarios = ServedRecommendations(candidate.profile, candidate.scenario + 2, candidate.outcomes)
    assert run_interim_analysis(other_scenarios, baseline, last_analysis=0, config=CONFIG).number == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"false_alarm_rate": 0.0},
        {"false_alarm_rate": 0.7},
        {"min_relative_change": 1.0},
        {"min_recommendations": 0},
    ],
)
def test_an_invalid_online_test_config_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(DataError):
        OnlineTestConfig(**settings)  # type: ignore[arg-type]
