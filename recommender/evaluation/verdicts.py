"""Whether a new model is good enough: two comparisons, one-sided, with a minimum effect, and a look at slices.

Every comparison is paired by case (one case is one profile), so what makes a profile easy or hard cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.types import Bools, DataError, Doubles

Parameters = Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was decided: a code, and the figures for its sentence. The door to the platform words it."""

    code: str
    parameters: Parameters = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True)
class GateConfig:
    """confidence: one-sided, of every comparison. least_gain: relative gain over popularity that is worth serving.
    most_loss: relative loss against the live model that fresher events may cost. A slice is judged from
    `least_slice` cases on. draws: of the bootstrap; at least ten of them must lie beyond the confidence."""

    confidence: float = 0.999
    least_gain: float = 0.05
    most_loss: float = 0.05
    least_cases: int = 20
    least_slice: int = 50
    draws: int = 20_000

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1:
            raise DataError("The confidence of the gate lies between 0.5 and 1.")
        if self.least_gain < 0 or not 0 <= self.most_loss < 1:
            raise DataError("The least gain and the most loss of the gate are shares, not below zero.")
        if self.draws * (1 - self.confidence) < 10:
            raise DataError("The gate needs at least ten draws beyond its confidence.")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`low` and `high` bound the mean difference ours - theirs, each one-sided with the gate's confidence."""

    ours: float
    theirs: float
    low: float
    high: float
    cases: int

    @property
    def gain(self) -> float | None:
        """Relative; None where the other scores nothing."""
        return self.ours / self.theirs - 1 if self.theirs > 0 else None

    @property
    def better(self) -> bool:
        return self.low > 0

    @property
    def worse(self) -> bool:
        return self.high < 0

    def figures(self, k: int) -> Parameters:
        return {"k": k, "ours": self.ours, "theirs": self.theirs}

    def to_json(self) -> dict[str, Any]:
        return {
            "ours": self.ours,
            "theirs": self.theirs,
            "low": self.low,
            "high": self.high,
            "cases": self.cases,
        }


def compare(ours: Doubles, theirs: Doubles, rng: np.random.Generator, config: GateConfig) -> Comparison:
    """Percentile bootstrap of the mean paired difference over cases (Efron 1979), drawing counts of its values."""
    difference = ours - theirs
    if not difference.size:
        return Comparison(0.0, 0.0, 0.0, 0.0, 0)
    values, counts = np.unique(difference, return_counts=True)
    means = np.concatenate([
        rng.multinomial(difference.size, counts / difference.size, size=part) @ values
        for part in _parts(config.draws, values.size)
    ])  # fmt: skip
    low, high = np.quantile(means / difference.size, [1 - config.confidence, config.confidence])
    return Comparison(float(ours.mean()), float(theirs.mean()), float(low), float(high), difference.size)


@dataclass(frozen=True, slots=True)
class Case:
    """What the gate weighs: nDCG of each case, ours and the others', and which cases each slice holds.

    `live` is None where no other model serves, or where the one that serves had learned from the cases."""

    ours: Doubles
    popularity: Doubles
    live: Doubles | None = None
    slices: Mapping[str, Bools] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """No reasons: it may serve. `figures` are aggregates; slices below the least size are not in them."""

    reasons: tuple[Reason, ...]
    figures: Mapping[str, Any]


def weigh(case: Case, rng: np.random.Generator, config: GateConfig, *, k: int) -> Judgement:
    """The rule.

    1. Better than popularity beyond chance, and by at least `least_gain`.
    2. Where a live model can be compared: not worse beyond chance, and not `most_loss` below it. As good is enough,
       for the new model knows the items and events that came since.
    3. No slice with enough cases is worse beyond chance than popularity, nor than the live model.
    """
    bar = compare(case.ours, case.popularity, rng, config)
    figures: dict[str, Any] = {"confidence": config.confidence, "against_popularity": bar.to_json()}
    reasons = [*_not_better(bar, config, k)]
    if case.live is not None:
        live = compare(case.ours, case.live, rng, config)
        figures["against_live"] = live.to_json()
        reasons += _worse_than_live(live, config, k)
    slices = {
        name: _slice(case, mask, rng, config)
        for name, mask in case.slices.items()
        if int(mask.sum()) >= config.least_slice
    }
    figures["slices"] = {
        name: {than: c.to_json() for than, c in found.items()} for name, found in slices.items()
    }
    reasons += [
        Reason("slice_worse", {"slice": name, "than": than, "cases": one.cases, **one.figures(k)})
        for name, found in slices.items()
        for than, one in found.items()
        if one.worse
    ]
    return Judgement(tuple(reasons), figures)


def _not_better(bar: Comparison, config: GateConfig, k: int) -> list[Reason]:
    if not bar.better:
        return [Reason("not_better", bar.figures(k))]
    if bar.gain is not None and bar.gain < config.least_gain:
        return [Reason("gain_too_small", {"gain": bar.gain, "needed": config.least_gain, **bar.figures(k)})]
    return []


def _worse_than_live(live: Comparison, config: GateConfig, k: int) -> list[Reason]:
    if live.worse:
        return [Reason("worse_than_live", live.figures(k))]
    if live.gain is not None and live.gain < -config.most_loss:
        return [Reason("below_live", {"allowed": config.most_loss, **live.figures(k)})]
    return []


def _slice(case: Case, mask: Bools, rng: np.random.Generator, config: GateConfig) -> dict[str, Comparison]:
    others = {"popularity": case.popularity, "live": case.live}
    return {
        name: compare(case.ours[mask], theirs[mask], rng, config)
        for name, theirs in others.items()
        if theirs is not None
    }


def _parts(draws: int, width: int, cells: int = 4_000_000) -> list[int]:
    """Sizes that add up to `draws`, so that a table of counts stays below 32 MB."""
    size = max(1, min(draws, cells // max(width, 1)))
    return [min(size, draws - start) for start in range(0, draws, size)]
