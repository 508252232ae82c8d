"""What followed the answers of the version in service, against the version before it: has it dropped beyond chance?

A look is taken each time the answers have grown by half. The k-th look may err with probability ERROR * 6 / (pi k)^2,
shared by the signals looked at; over all looks together that is at most ERROR, however long the watch goes on (alpha
spending, Lan and DeMets 1983, with the union bound, so that nothing is assumed about how the looks depend on each other).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import floor, log, pi, sqrt
from typing import Literal

import numpy as np
from scipy import stats

from recommender.evaluation.decisions.promotion_gate import DecisionReason
from recommender.types import BoolArray, DataError, Float64Array, Int32Array

Signal = Literal["clicks", "conversions", "dismissals"]
SIGNALS: tuple[Signal, ...] = ("clicks", "conversions", "dismissals")
REASON_CODES: Mapping[Signal, str] = {
    "clicks": "clicks_dropped",
    "conversions": "conversions_dropped",
    "dismissals": "dismissals_rose",
}


@dataclass(frozen=True, slots=True)
class OnlineTestConfig:
    """error: how likely one version is taken back although it is as good. least_change: relative, so that a drop
    too small to matter takes nothing back. least_answers: of each version before the first look. least_expected:
    clicks (or the like) that must be expected of the newer one, for below that the normal limit is no guide.
    followed_within: what comes later does not count, and an answer counts when that time is over."""

    false_alarm_rate: float = 0.001
    min_relative_change: float = 0.1
    min_recommendations: int = 200
    min_expected_events: float = 20.0
    attribution_window: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        if not 0 < self.false_alarm_rate < 0.5 or not 0 <= self.min_relative_change < 1:
            raise DataError(
                "The error of the watch lies between 0 and 0.5, its least change between 0 and 1."
            )
        if self.min_recommendations < 1 or self.min_expected_events < 1:
            raise DataError("The watch needs at least one answer, and one click to expect.")


@dataclass(frozen=True, slots=True)
class ServedRecommendations:
    """Answers of one version: who asked (numbers; a stranger has one of his own), where, and what followed."""

    profile: Int32Array
    scenario: Int32Array
    outcomes: Mapping[Signal, BoolArray]

    def __len__(self) -> int:
        return len(self.profile)


@dataclass(frozen=True, slots=True)
class OutcomeRate:
    """The share of answers that something followed, and its variance with a profile's answers taken together."""

    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class InterimAnalysis:
    """`number` is 0 while it is too early. Rates are (now, before) by signal, as if both had served the same places."""

    number: int
    n_current: int
    n_previous: int
    rates: Mapping[Signal, tuple[float, float]]
    degraded: tuple[Signal, ...]

    def to_reasons(self, version: str) -> tuple[DecisionReason, ...]:
        return tuple(
            DecisionReason(
                REASON_CODES[one],
                {
                    "now": self.rates[one][0],
                    "before": self.rates[one][1],
                    "answers": self.n_current,
                    "version": version,
                },
            )
            for one in self.degraded
        )


def run_interim_analysis(
    current: ServedRecommendations,
    previous: ServedRecommendations,
    *,
    last_analysis: int,
    config: OnlineTestConfig,
) -> InterimAnalysis:
    """`taken` is the number of the last look at this pair: the same look is not taken twice.

    Only places that both versions served are compared, the older one's weighted as the newer one's."""
    shared = np.intersect1d(current.scenario, previous.scenario)
    new, old = _filter_scenarios(current, shared), _filter_scenarios(previous, shared)
    number = _compute_analysis_number(len(new), config) if len(old) >= config.min_recommendations else 0
    if not number:
        return InterimAnalysis(0, len(new), len(old), {}, ())
    shares = np.bincount(np.searchsorted(shared, new.scenario), minlength=shared.size) / len(new)
    rates = {
        one: (estimate_rate(new, one, shared, shares), estimate_rate(old, one, shared, shares))
        for one in SIGNALS
    }
    shown = {one: (mine.mean, theirs.mean) for one, (mine, theirs) in rates.items()}
    if number <= last_analysis:
        return InterimAnalysis(last_analysis, len(new), len(old), shown, ())
    level = config.false_alarm_rate * 6 / (pi * number) ** 2 / len(SIGNALS)
    fell = tuple(
        one for one, pair in rates.items() if _is_degraded(one, *pair, (len(new), len(old)), level, config)
    )
    return InterimAnalysis(number, len(new), len(old), shown, fell)


def estimate_rate(
    recommendations: ServedRecommendations, signal: Signal, scenarios: Int32Array, weights: Float64Array
) -> OutcomeRate:
    """Directly standardised over places; the variance by linearisation over profiles (Cochran 1977, section 6.2)."""
    followed = recommendations.outcomes[signal].astype(np.float64)
    place = np.searchsorted(scenarios, recommendations.scenario)
    count = np.bincount(place, minlength=scenarios.size)
    share = np.bincount(place, weights=followed, minlength=scenarios.size) / np.maximum(count, 1)
    part = (weights / np.maximum(count, 1))[place] * (followed - share[place])
    _, who = np.unique(recommendations.profile, return_inverse=True)
    of_profile = np.bincount(who, weights=part)
    spread = of_profile.size / max(of_profile.size - 1, 1)
    return OutcomeRate(float(weights @ share), float((of_profile**2).sum() * spread))


def _is_degraded(
    signal: Signal,
    current: OutcomeRate,
    previous: OutcomeRate,
    sizes: tuple[int, int],
    significance: float,
    config: OnlineTestConfig,
) -> bool:
    """Whether the relative change is past `least_change` beyond chance: one-sided, at `level`.

    A variance is at least that of independent answers at the common rate: no click at all would have none of its own."""
    common = (current.mean * sizes[0] + previous.mean * sizes[1]) / sum(sizes)
    if min(common, 1 - common) * sizes[0] < config.min_expected_events:
        return False
    sign, bound = (
        (1, 1 + config.min_relative_change)
        if signal == "dismissals"
        else (-1, 1 - config.min_relative_change)
    )
    independent = common * (1 - common)
    error = sqrt(
        max(current.variance, independent / sizes[0])
        + bound**2 * max(previous.variance, independent / sizes[1])
    )
    return bool(sign * (current.mean - bound * previous.mean) > stats.norm.isf(significance) * error)


def _filter_scenarios(recommendations: ServedRecommendations, scenarios: Int32Array) -> ServedRecommendations:
    inside = np.isin(recommendations.scenario, scenarios)
    followed = {name: found[inside] for name, found in recommendations.outcomes.items()}
    return ServedRecommendations(recommendations.profile[inside], recommendations.scenario[inside], followed)


def _compute_analysis_number(n_recommendations: int, config: OnlineTestConfig) -> int:
    if n_recommendations < config.min_recommendations:
        return 0
    return 1 + floor(log(n_recommendations / config.min_recommendations) / log(1.5) + 1e-9)
