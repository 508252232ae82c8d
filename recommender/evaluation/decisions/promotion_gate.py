"""The promotion gate: whether a new model may replace the active one.

Two one-sided comparisons with a minimum effect, over all cases and in slices. Every comparison is paired by case (one
case is one profile), so that differences between profiles cancel out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.evaluation.metrics import bootstrap_means
from recommender.types import BoolArray, DataError, Float64Array

ReasonParameters = Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class DecisionReason:
    """Why a decision was made: a code and the parameters of its sentence. `registry.reasons` has the sentences."""

    code: str
    parameters: ReasonParameters = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The fields code and parameters, as stored with a model version."""
        return {"code": self.code, "parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True)
class GateConfig:
    """Settings of the gate.

    confidence: of each one-sided comparison.
    min_gain: smallest relative gain over popularity.
    max_loss: largest relative loss against the active model.
    min_cases: cases below which no decision is made.
    min_slice_cases: cases below which a slice is not compared.
    n_resamples: bootstrap resamples; at least ten of them must lie beyond the confidence level.
    """

    confidence: float = 0.999
    min_gain: float = 0.05
    max_loss: float = 0.05
    min_cases: int = 20
    min_slice_cases: int = 50
    n_resamples: int = 20_000

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1:
            raise DataError("The confidence of the gate must lie between 0.5 and 1.")
        if self.min_gain < 0 or not 0 <= self.max_loss < 1:
            raise DataError("The gate's minimum gain and maximum loss must be fractions of at least 0.")
        if self.n_resamples * (1 - self.confidence) < 10:
            raise DataError("The gate needs at least ten resamples beyond its confidence level.")


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Mean nDCG of both models, and one-sided bounds of the mean paired difference candidate - baseline."""

    candidate: float
    baseline: float
    low: float
    high: float
    n_cases: int

    @property
    def relative_gain(self) -> float | None:
        """(candidate - baseline) / baseline; None where the baseline is zero."""
        return self.candidate / self.baseline - 1 if self.baseline > 0 else None

    @property
    def is_better(self) -> bool:
        """Whether the difference is significantly above zero."""
        return self.low > 0

    @property
    def is_worse(self) -> bool:
        """Whether the difference is significantly below zero."""
        return self.high < 0

    def to_parameters(self, k: int) -> dict[str, float | int | str]:
        """Parameters of a reason's sentence."""
        return {"k": k, "candidate": self.candidate, "baseline": self.baseline}

    def to_json(self) -> dict[str, Any]:
        """The comparison as stored in a version's metrics."""
        return {
            "candidate": self.candidate,
            "baseline": self.baseline,
            "low": self.low,
            "high": self.high,
            "cases": self.n_cases,
        }


def compare_paired(
    candidate: Float64Array,
    baseline: Float64Array,
    rng: np.random.Generator,
    config: GateConfig,
) -> PairedComparison:
    """Percentile bootstrap (Efron 1979) of the mean paired difference; both arrays have shape (cases,)."""
    difference = candidate - baseline
    if not difference.size:
        return PairedComparison(0.0, 0.0, 0.0, 0.0, 0)
    means = bootstrap_means(difference, rng, n_resamples=config.n_resamples)
    low, high = np.quantile(means, [1 - config.confidence, config.confidence])
    return PairedComparison(
        candidate=float(candidate.mean()),
        baseline=float(baseline.mean()),
        low=float(low),
        high=float(high),
        n_cases=difference.size,
    )


@dataclass(frozen=True, slots=True)
class GateInput:
    """nDCG of each case, shape (cases,), by the candidate and by the baselines; and masks of the slices.

    `live` is the active model; None where there is none, or where it was trained on events of the cases.
    """

    candidate: Float64Array
    popularity: Float64Array
    live: Float64Array | None = None
    slices: Mapping[str, BoolArray] = field(default_factory=dict)

    def select_cases(self, mask: BoolArray) -> GateInput:
        """The cases of one slice."""
        live = None
        if self.live is not None:
            live = self.live[mask]
        return GateInput(self.candidate[mask], self.popularity[mask], live)


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The candidate is accepted if `reasons` is empty. `metrics` are aggregates; small slices are not in them."""

    reasons: tuple[DecisionReason, ...]
    metrics: Mapping[str, Any]


def evaluate_gate(
    gate_input: GateInput,
    rng: np.random.Generator,
    config: GateConfig,
    *,
    k: int,
) -> GateDecision:
    """Decides whether the candidate may be promoted.

    1. It is significantly better than popularity, by at least `min_gain`.
    2. It is not significantly worse than the active model, and at most `max_loss` below it. Being as good is enough,
       because the candidate contains newer items and events.
    3. It is not significantly worse than popularity or the active model in any slice with enough cases.

    Args:
        gate_input: nDCG of each case and the slices.
        rng: draws bootstrap resamples.
        config: thresholds.
        k: length of the evaluated lists, for the reasons' sentences.
    """
    comparison = compare_paired(gate_input.candidate, gate_input.popularity, rng, config)
    metrics: dict[str, Any] = {"confidence": config.confidence, "against_popularity": comparison.to_json()}
    reasons = _check_gain_over_popularity(comparison, config, k)
    if gate_input.live is not None:
        live_comparison = compare_paired(gate_input.candidate, gate_input.live, rng, config)
        metrics["against_live"] = live_comparison.to_json()
        reasons += _check_loss_against_live(live_comparison, config, k)
    metrics["slices"] = {}
    for slice_name, mask in gate_input.slices.items():
        if int(mask.sum()) < config.min_slice_cases:
            continue
        comparisons = _compare_with_baselines(gate_input.select_cases(mask), rng, config)
        metrics["slices"][slice_name] = {name: c.to_json() for name, c in comparisons.items()}
        for baseline_name, slice_comparison in comparisons.items():
            if slice_comparison.is_worse:
                reasons.append(_create_slice_reason(slice_name, baseline_name, slice_comparison, k))
    return GateDecision(tuple(reasons), metrics)


def _check_gain_over_popularity(
    comparison: PairedComparison, config: GateConfig, k: int
) -> list[DecisionReason]:
    if not comparison.is_better:
        return [DecisionReason("not_better", comparison.to_parameters(k))]
    gain = comparison.relative_gain
    if gain is not None and gain < config.min_gain:
        parameters = comparison.to_parameters(k) | {"gain": gain, "min_gain": config.min_gain}
        return [DecisionReason("gain_too_small", parameters)]
    return []


def _check_loss_against_live(
    comparison: PairedComparison, config: GateConfig, k: int
) -> list[DecisionReason]:
    if comparison.is_worse:
        return [DecisionReason("worse_than_live", comparison.to_parameters(k))]
    if comparison.relative_gain is not None and comparison.relative_gain < -config.max_loss:
        parameters = comparison.to_parameters(k) | {"max_loss": config.max_loss}
        return [DecisionReason("below_live", parameters)]
    return []


def _compare_with_baselines(
    gate_input: GateInput, rng: np.random.Generator, config: GateConfig
) -> dict[str, PairedComparison]:
    candidate = gate_input.candidate
    comparisons = {"popularity": compare_paired(candidate, gate_input.popularity, rng, config)}
    if gate_input.live is not None:
        comparisons["live"] = compare_paired(candidate, gate_input.live, rng, config)
    return comparisons


def _create_slice_reason(
    slice_name: str,
    baseline_name: str,
    comparison: PairedComparison,
    k: int,
) -> DecisionReason:
    parameters = comparison.to_parameters(k) | {
        "slice": slice_name,
        "baseline_name": baseline_name,
        "cases": comparison.n_cases,
    }
    return DecisionReason("slice_worse", parameters)
