"""Whether a new model is good enough: two comparisons, one-sided, with a minimum effect, and a look at slices.

Every comparison is paired by case (one case is one profile), so what makes a profile easy or hard cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.types import BoolArray, DataError, Float64Array

ReasonParameters = Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class DecisionReason:
    """Why something was decided: a code, and the figures for its sentence. The door to the platform words it."""

    code: str
    parameters: ReasonParameters = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True)
class GateConfig:
    """confidence: one-sided, of every comparison. least_gain: relative gain over popularity that is worth serving.
    most_loss: relative loss against the live model that fresher events may cost. A slice is judged from
    `least_slice` cases on. draws: of the bootstrap; at least ten of them must lie beyond the confidence."""

    confidence: float = 0.999
    min_gain: float = 0.05
    max_loss: float = 0.05
    min_cases: int = 20
    min_slice_cases: int = 50
    n_resamples: int = 20_000

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1:
            raise DataError("The confidence of the gate lies between 0.5 and 1.")
        if self.min_gain < 0 or not 0 <= self.max_loss < 1:
            raise DataError("The least gain and the most loss of the gate are shares, not below zero.")
        if self.n_resamples * (1 - self.confidence) < 10:
            raise DataError("The gate needs at least ten draws beyond its confidence.")


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """`low` and `high` bound the mean difference ours - theirs, each one-sided with the gate's confidence."""

    candidate: float
    baseline: float
    low: float
    high: float
    n_cases: int

    @property
    def relative_gain(self) -> float | None:
        """Relative; None where the other scores nothing."""
        return self.candidate / self.baseline - 1 if self.baseline > 0 else None

    @property
    def is_better(self) -> bool:
        return self.low > 0

    @property
    def is_worse(self) -> bool:
        return self.high < 0

    def to_parameters(self, k: int) -> ReasonParameters:
        return {"k": k, "ours": self.candidate, "theirs": self.baseline}

    def to_json(self) -> dict[str, Any]:
        return {
            "ours": self.candidate,
            "theirs": self.baseline,
            "low": self.low,
            "high": self.high,
            "cases": self.n_cases,
        }


def compare_paired(
    candidate: Float64Array, baseline: Float64Array, rng: np.random.Generator, config: GateConfig
) -> PairedComparison:
    """Percentile bootstrap of the mean paired difference over cases (Efron 1979), drawing counts of its values."""
    difference = candidate - baseline
    if not difference.size:
        return PairedComparison(0.0, 0.0, 0.0, 0.0, 0)
    values, counts = np.unique(difference, return_counts=True)
    means = np.concatenate([
        rng.multinomial(difference.size, counts / difference.size, size=part) @ values
        for part in _plan_chunk_sizes(config.n_resamples, values.size)
    ])  # fmt: skip
    low, high = np.quantile(means / difference.size, [1 - config.confidence, config.confidence])
    return PairedComparison(
        float(candidate.mean()), float(baseline.mean()), float(low), float(high), difference.size
    )


@dataclass(frozen=True, slots=True)
class GateInput:
    """What the gate weighs: nDCG of each case, ours and the others', and which cases each slice holds.

    `live` is None where no other model serves, or where the one that serves had learned from the cases."""

    candidate: Float64Array
    popularity: Float64Array
    live: Float64Array | None = None
    slices: Mapping[str, BoolArray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GateDecision:
    """No reasons: it may serve. `figures` are aggregates; slices below the least size are not in them."""

    reasons: tuple[DecisionReason, ...]
    metrics: Mapping[str, Any]


def evaluate_gate(
    gate_input: GateInput, rng: np.random.Generator, config: GateConfig, *, k: int
) -> GateDecision:
    """The rule.

    1. Better than popularity beyond chance, and by at least `least_gain`.
    2. Where a live model can be compared: not worse beyond chance, and not `most_loss` below it. As good is enough,
       for the new model knows the items and events that came since.
    3. No slice with enough cases is worse beyond chance than popularity, nor than the live model.
    """
    bar = compare_paired(gate_input.candidate, gate_input.popularity, rng, config)
    figures: dict[str, Any] = {"confidence": config.confidence, "against_popularity": bar.to_json()}
    reasons = [*_check_gain_over_popularity(bar, config, k)]
    if gate_input.live is not None:
        live = compare_paired(gate_input.candidate, gate_input.live, rng, config)
        figures["against_live"] = live.to_json()
        reasons += _check_loss_against_live(live, config, k)
    slices = {
        name: _compare_slice(gate_input, mask, rng, config)
        for name, mask in gate_input.slices.items()
        if int(mask.sum()) >= config.min_slice_cases
    }
    figures["slices"] = {
        name: {than: c.to_json() for than, c in found.items()} for name, found in slices.items()
    }
    reasons += [
        DecisionReason(
            "slice_worse", {"slice": name, "than": than, "cases": one.n_cases, **one.to_parameters(k)}
        )
        for name, found in slices.items()
        for than, one in found.items()
        if one.is_worse
    ]
    return GateDecision(tuple(reasons), figures)


def _check_gain_over_popularity(
    comparison: PairedComparison, config: GateConfig, k: int
) -> list[DecisionReason]:
    if not comparison.is_better:
        return [DecisionReason("not_better", comparison.to_parameters(k))]
    if comparison.relative_gain is not None and comparison.relative_gain < config.min_gain:
        return [
            DecisionReason(
                "gain_too_small",
                {"gain": comparison.relative_gain, "needed": config.min_gain, **comparison.to_parameters(k)},
            )
        ]
    return []


def _check_loss_against_live(
    comparison: PairedComparison, config: GateConfig, k: int
) -> list[DecisionReason]:
    if comparison.is_worse:
        return [DecisionReason("worse_than_live", comparison.to_parameters(k))]
    if comparison.relative_gain is not None and comparison.relative_gain < -config.max_loss:
        return [DecisionReason("below_live", {"allowed": config.max_loss, **comparison.to_parameters(k)})]
    return []


def _compare_slice(
    gate_input: GateInput, mask: BoolArray, rng: np.random.Generator, config: GateConfig
) -> dict[str, PairedComparison]:
    others = {"popularity": gate_input.popularity, "live": gate_input.live}
    return {
        name: compare_paired(gate_input.candidate[mask], theirs[mask], rng, config)
        for name, theirs in others.items()
        if theirs is not None
    }


def _plan_chunk_sizes(n_resamples: int, width: int, max_cells: int = 4_000_000) -> list[int]:
    """Sizes that add up to `draws`, so that a table of counts stays below 32 MB."""
    size = max(1, min(n_resamples, max_cells // max(width, 1)))
    return [min(size, n_resamples - start) for start in range(0, n_resamples, size)]
