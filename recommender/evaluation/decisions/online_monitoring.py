"""Sequential test of the active model against the previous one: have clicks dropped beyond chance since promotion?

An interim analysis runs each time the number of recommendations has grown by half. The k-th analysis may err with
probability false_alarm_rate * 6 / (pi k)^2, divided among the signals. These probabilities sum to at most
false_alarm_rate over any number of analyses (alpha spending, Lan and DeMets 1983; the union bound makes no assumption
about how the analyses depend on each other).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import floor, log, pi, sqrt
from typing import Literal

import numpy as np
from scipy import stats

from recommender.evaluation.decisions.promotion_gate import DecisionReason, ReasonParameters
from recommender.types import BoolArray, DataError, Float64Array, Int32Array

Signal = Literal["clicks", "conversions", "dismissals"]
SIGNALS: tuple[Signal, ...] = ("clicks", "conversions", "dismissals")
REASON_CODES: Mapping[Signal, str] = {
    "clicks": "clicks_dropped",
    "conversions": "conversions_dropped",
    "dismissals": "dismissals_rose",
}
# The next analysis runs when the number of recommendations has grown by this factor.
ANALYSIS_GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class OnlineTestConfig:
    """Settings of the sequential test.

    false_alarm_rate: probability that a model is rolled back although it is as good as the previous one.
    min_relative_change: smallest relative drop that causes a rollback.
    min_recommendations: recommendations of each version before the first analysis.
    min_expected_events: expected outcomes of the active version below which the normal approximation is not used.
    attribution_window: an outcome counts within this time; a recommendation counts once the time has passed.
    """

    false_alarm_rate: float = 0.001
    min_relative_change: float = 0.1
    min_recommendations: int = 200
    min_expected_events: float = 20.0
    attribution_window: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        if not 0 < self.false_alarm_rate < 0.5:
            raise DataError("The false alarm rate of the online test must lie between 0 and 0.5.")
        if not 0 <= self.min_relative_change < 1:
            raise DataError("The minimum relative change of the online test must lie between 0 and 1.")
        if self.min_recommendations < 1 or self.min_expected_events < 1:
            raise DataError("The online test needs at least one recommendation and one expected event.")


@dataclass(frozen=True, slots=True)
class ServedRecommendations:
    """Recommendations of one version.

    profile: a number for each user, shape (recommendations,); an anonymous request has a number of its own.
    scenario: a number for each place where recommendations are shown, shape (recommendations,).
    outcomes: by signal, whether it followed within the attribution window, shape (recommendations,).
    """

    profile: Int32Array
    scenario: Int32Array
    outcomes: Mapping[Signal, BoolArray]

    def __len__(self) -> int:
        return len(self.profile)


@dataclass(frozen=True, slots=True)
class OutcomeRate:
    """Fraction of recommendations with an outcome, and its variance with the profiles as clusters."""

    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class InterimAnalysis:
    """Result of one analysis; `number` is 0 while there are too few recommendations.

    rates: (current, previous) by signal, standardised to the current version's mix of scenarios.
    """

    number: int
    n_current: int
    n_previous: int
    rates: Mapping[Signal, tuple[float, float]]
    degraded: tuple[Signal, ...]

    def to_reasons(self, version: str) -> tuple[DecisionReason, ...]:
        """A reason for each degraded signal; `version` is the name of the previous version."""
        reasons = []
        for signal in self.degraded:
            current, previous = self.rates[signal]
            parameters: ReasonParameters = {
                "current": current,
                "previous": previous,
                "recommendations": self.n_current,
                "version": version,
            }
            reasons.append(DecisionReason(REASON_CODES[signal], parameters))
        return tuple(reasons)


def run_interim_analysis(
    current: ServedRecommendations,
    previous: ServedRecommendations,
    *,
    last_analysis: int,
    config: OnlineTestConfig,
) -> InterimAnalysis:
    """Compares two versions in the scenarios where both have recommendations.

    Args:
        current: recommendations of the active version.
        previous: recommendations of the version before it.
        last_analysis: number of the last analysis of this pair; the test is not repeated for the same number.
        config: settings of the test.
    """
    scenarios = np.intersect1d(current.scenario, previous.scenario)
    current = _filter_scenarios(current, scenarios)
    previous = _filter_scenarios(previous, scenarios)
    number = 0
    if len(previous) >= config.min_recommendations:
        number = _compute_analysis_number(len(current), config)
    if not number:
        return InterimAnalysis(0, len(current), len(previous), {}, ())
    # Proportion of each scenario among the current recommendations.
    stratum = np.searchsorted(scenarios, current.scenario)
    weights = np.bincount(stratum, minlength=scenarios.size) / len(current)
    # A share of the error probability for each signal.
    significance = config.false_alarm_rate * 6 / (pi * number) ** 2 / len(SIGNALS)
    rates: dict[Signal, tuple[float, float]] = {}
    degraded: list[Signal] = []
    for signal in SIGNALS:
        current_rate = estimate_rate(current, signal, scenarios, weights)
        previous_rate = estimate_rate(previous, signal, scenarios, weights)
        rates[signal] = (current_rate.mean, previous_rate.mean)
        sizes = (len(current), len(previous))
        if _is_degraded(signal, current_rate, previous_rate, sizes, significance, config):
            degraded.append(signal)
    if number <= last_analysis:
        return InterimAnalysis(last_analysis, len(current), len(previous), rates, ())
    return InterimAnalysis(number, len(current), len(previous), rates, tuple(degraded))


def estimate_rate(
    recommendations: ServedRecommendations,
    signal: Signal,
    scenarios: Int32Array,
    weights: Float64Array,
) -> OutcomeRate:
    """Outcome rate directly standardised over scenarios.

    The variance is estimated by linearisation with profiles as clusters (Cochran 1977, section 6.2).

    Args:
        recommendations: recommendations in these scenarios only.
        signal: the outcome.
        scenarios: sorted numbers of the scenarios.
        weights: proportion of each scenario in the standard population, sums to 1.
    """
    has_outcome = recommendations.outcomes[signal].astype(np.float64)
    # Index into `scenarios` for each recommendation.
    stratum = np.searchsorted(scenarios, recommendations.scenario)
    n_recommendations = np.bincount(stratum, minlength=scenarios.size)
    n_outcomes = np.bincount(stratum, weights=has_outcome, minlength=scenarios.size)
    # Scenarios without recommendations have a weight, but no outcomes to divide.
    divisor = np.maximum(n_recommendations, 1)
    rates = n_outcomes / divisor
    # Linearised contribution of each recommendation to the deviation of the standardised rate.
    residuals = (weights / divisor)[stratum] * (has_outcome - rates[stratum])
    _, cluster = np.unique(recommendations.profile, return_inverse=True)
    cluster_sums = np.bincount(cluster, weights=residuals)
    # n / (n - 1), the small-sample correction over clusters.
    correction = cluster_sums.size / max(cluster_sums.size - 1, 1)
    return OutcomeRate(float(weights @ rates), float((cluster_sums**2).sum() * correction))


def _is_degraded(
    signal: Signal,
    current: OutcomeRate,
    previous: OutcomeRate,
    sizes: tuple[int, int],
    significance: float,
    config: OnlineTestConfig,
) -> bool:
    """One-sided test, at `significance`, that the relative change is worse than `min_relative_change`."""
    pooled_rate = (current.mean * sizes[0] + previous.mean * sizes[1]) / sum(sizes)
    if min(pooled_rate, 1 - pooled_rate) * sizes[0] < config.min_expected_events:
        return False
    # Dismissals are worse when they rise, the other signals when they drop.
    if signal == "dismissals":
        sign, ratio = 1, 1 + config.min_relative_change
    else:
        sign, ratio = -1, 1 - config.min_relative_change
    # Lower bound: the variance of independent recommendations. Without any click the estimate would be zero.
    independent_variance = pooled_rate * (1 - pooled_rate)
    current_variance = max(current.variance, independent_variance / sizes[0])
    previous_variance = max(previous.variance, independent_variance / sizes[1])
    standard_error = sqrt(current_variance + ratio**2 * previous_variance)
    difference = sign * (current.mean - ratio * previous.mean)
    return bool(difference > stats.norm.isf(significance) * standard_error)


def _filter_scenarios(recommendations: ServedRecommendations, scenarios: Int32Array) -> ServedRecommendations:
    is_shared = np.isin(recommendations.scenario, scenarios)
    return ServedRecommendations(
        profile=recommendations.profile[is_shared],
        scenario=recommendations.scenario[is_shared],
        outcomes={signal: occurred[is_shared] for signal, occurred in recommendations.outcomes.items()},
    )


def _compute_analysis_number(n_recommendations: int, config: OnlineTestConfig) -> int:
    """1 at min_recommendations, and one more each time the number has grown by ANALYSIS_GROWTH."""
    if n_recommendations < config.min_recommendations:
        return 0
    n_growths = log(n_recommendations / config.min_recommendations) / log(ANALYSIS_GROWTH)
    # The small term keeps an exact power from being rounded down.
    return 1 + floor(n_growths + 1e-9)
