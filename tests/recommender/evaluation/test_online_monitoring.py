"""A drop beyond chance is seen, and chance is not taken for a drop, however often one looks."""

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
    count: int, share: float, seed: int, *, dismissed: float = 0.02, people: int = 400
) -> ServedRecommendations:
    """In two places, of which the second is clicked half as often; some people click more than others."""
    rng = np.random.default_rng(seed)
    profile, place = rng.integers(0, people, count), rng.integers(0, 2, count)
    keenness = np.random.default_rng(99).gamma(4, 1 / 4, people)
    clicked = rng.random(count) < share * keenness[profile] * np.where(place == 1, 0.5, 1.0)
    followed = {
        "clicks": clicked,
        "conversions": clicked & (rng.random(count) < 0.2),
        "dismissals": rng.random(count) < dismissed,
    }
    return ServedRecommendations(profile.astype(np.int32), place.astype(np.int32), followed)  # type: ignore[arg-type]


def take_first(whole: ServedRecommendations, count: int) -> ServedRecommendations:
    followed = {name: found[:count] for name, found in whole.outcomes.items()}
    return ServedRecommendations(whole.profile[:count], whole.scenario[:count], followed)


def run_interim_analyses(
    now: ServedRecommendations, before: ServedRecommendations, steps: int = 40
) -> tuple[tuple[str, ...], int]:
    """Looks `steps` times while the answers come in; what dropped first, and after how many answers."""
    taken = 0
    for count in np.linspace(100, len(now), steps).astype(int):
        found = run_interim_analysis(take_first(now, count), before, last_analysis=taken, config=CONFIG)
        if found.degraded:
            return found.degraded, int(count)
        taken = found.number
    return (), len(now)


@pytest.mark.proof(row=31)
def test_an_equal_version_is_hardly_ever_taken_back(scale: Scale, figure: Callable[..., bool]) -> None:
    pairs = scale(30, 600)
    taken = sum(
        bool(
            run_interim_analyses(
                simulate_recommendations(6_000, 0.1, 2 * n), simulate_recommendations(6_000, 0.1, 2 * n + 1)
            )[0]
        )
        for n in range(pairs)
    )
    assert figure("equal versions taken back", taken, of=pairs, passes=taken <= max(0, 0.002 * pairs))


@pytest.mark.proof(row=31)
def test_clicks_that_halve_are_a_drop(scale: Scale, figure: Callable[..., bool]) -> None:
    pairs = scale(10, 200)
    seen = [
        run_interim_analyses(
            simulate_recommendations(6_000, 0.05, 2 * n), simulate_recommendations(6_000, 0.1, 2 * n + 1)
        )
        for n in range(pairs)
    ]
    dropped = sum("clicks" in what for what, _after in seen)
    figure("answers until a halving is seen, median", float(np.median([n for _w, n in seen])), passes=True)
    assert figure("halved clicks seen within 6,000 answers", dropped, of=pairs, passes=dropped == pairs)


def test_no_click_at_all_is_a_drop() -> None:
    assert (
        "clicks"
        in run_interim_analyses(
            simulate_recommendations(3_000, 0.0, 1), simulate_recommendations(3_000, 0.1, 2)
        )[0]
    )


def test_dismissals_that_come_from_nowhere_are_one() -> None:
    now, before = (
        simulate_recommendations(3_000, 0.1, 1, dismissed=0.2),
        simulate_recommendations(3_000, 0.1, 2, dismissed=0.0),
    )
    assert "dismissals" in run_interim_analyses(now, before)[0]


def test_more_clicks_and_fewer_dismissals_take_nothing_back() -> None:
    now, before = (
        simulate_recommendations(6_000, 0.2, 1, dismissed=0.0),
        simulate_recommendations(6_000, 0.1, 2, dismissed=0.2),
    )
    assert run_interim_analyses(now, before)[0] == ()


def test_another_mix_of_places_is_no_drop() -> None:
    """The newer version is asked mostly where less is clicked; in each place it is as good."""
    before = simulate_recommendations(20_000, 0.2, 1, people=4_000)
    now = simulate_recommendations(20_000, 0.2, 2, people=4_000)
    kept = (now.scenario == 1) | (np.arange(20_000) % 50 == 0)
    now = ServedRecommendations(
        now.profile[kept], now.scenario[kept], {name: f[kept] for name, f in now.outcomes.items()}
    )
    assert now.outcomes["clicks"].mean() < 0.7 * before.outcomes["clicks"].mean()
    assert run_interim_analyses(now, before)[0] == ()


def test_one_keen_person_is_not_a_crowd() -> None:
    """All clicks before were one profile's: what it does is not what chance does, and not proof of a drop."""
    before, now = simulate_recommendations(1_000, 0.0, 1), simulate_recommendations(1_000, 0.0, 2)
    before.outcomes["clicks"][:] = before.profile == before.profile[0]
    profile = np.where(np.arange(1_000) < 120, 0, before.profile + 1).astype(np.int32)
    clicks = {**before.outcomes, "clicks": profile == 0}
    keen = ServedRecommendations(profile, before.scenario, clicks)
    assert run_interim_analysis(now, keen, last_analysis=0, config=CONFIG).degraded == ()


def test_a_look_is_not_taken_twice() -> None:
    now, before = simulate_recommendations(900, 0.0, 1), simulate_recommendations(900, 0.2, 2)
    first = run_interim_analysis(now, before, last_analysis=0, config=CONFIG)
    assert "clicks" in first.degraded
    assert run_interim_analysis(now, before, last_analysis=first.number, config=CONFIG).degraded == ()


@pytest.mark.parametrize(("now", "before"), [(0, 0), (0, 5_000), (199, 5_000), (5_000, 199), (5_000, 0)])
def test_too_few_answers_of_either_say_nothing(now: int, before: int) -> None:
    found = run_interim_analysis(
        simulate_recommendations(now, 0.0, 1),
        simulate_recommendations(before, 0.3, 2),
        last_analysis=0,
        config=CONFIG,
    )
    assert (found.number, found.degraded, found.rates) == (0, (), {})


def test_places_that_only_one_of_them_served_are_not_compared() -> None:
    now, before = simulate_recommendations(1_000, 0.0, 1), simulate_recommendations(1_000, 0.3, 2)
    elsewhere = ServedRecommendations(now.profile, now.scenario + 2, now.outcomes)
    assert run_interim_analysis(elsewhere, before, last_analysis=0, config=CONFIG).number == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"false_alarm_rate": 0.0},
        {"false_alarm_rate": 0.7},
        {"min_relative_change": 1.0},
        {"min_recommendations": 0},
    ],
)
def test_a_watch_that_cannot_be_kept_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError):
        OnlineTestConfig(**wrong)  # type: ignore[arg-type]
