"""How far the latest days are from what a model learned from: the population stability index, and when it is an alarm.

PSI = sum over bins of (q - p) ln(q / p), p of the reference, q of the latest days; from .1 on it is worth a look, from
.25 on an alarm, by the custom of credit scoring (Siddiqi 2006). Without any change it is not zero: about
(1 / n + 1 / m) chi2(bins - 1) (Yurdakul and Naranjo 2020). A shift counts only where it is also beyond that chance,
with n and m the profiles, for the events of one profile are not independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import numpy as np
from scipy import stats

from recommender.types import DataError, Float64Array, Int32Array, Int64Array

DriftLevel = Literal["steady", "moved", "drifted", "unknown"]


@dataclass(frozen=True, slots=True)
class DriftConfig:
    """moved, drifted: thresholds of the index, and of a relative change of coverage. least: profiles of either side
    below which nothing is said. error: chance of a level above "steady" where nothing changed."""

    moved: float = 0.1
    drifted: float = 0.25
    min_profiles: int = 50
    false_alarm_rate: float = 0.001

    def __post_init__(self) -> None:
        if not 0 < self.moved < self.drifted:
            raise DataError("The thresholds of drift rise: moved is above zero and below drifted.")
        if self.min_profiles < 2 or not 0 < self.false_alarm_rate < 0.5:
            raise DataError("Drift needs two profiles at least, and an error between 0 and 0.5.")


@dataclass(frozen=True, slots=True)
class DriftShift:
    """`value` is the index, or for coverage the relative change; None where there is too little to say."""

    value: float | None
    level: DriftLevel

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "level": self.level}


UNKNOWN_SHIFT = DriftShift(None, "unknown")


def psi(reference: Int64Array, latest: Int64Array) -> float:
    """Of two tables of counts over the same bins. Half a case is added to each bin, so that an empty one is finite."""
    used = (reference + latest) > 0
    if used.sum() < 2 or not reference.sum() or not latest.sum():
        return 0.0
    p, q = (_estimate_proportions(counts[used]) for counts in (reference, latest))
    return float(((q - p) * np.log(q / p)).sum())


def measure_shift(
    reference: Int64Array, latest: Int64Array, profiles: tuple[int, int], config: DriftConfig
) -> DriftShift:
    """`profiles`: how many of them stand behind the reference and behind the latest days."""
    if min(profiles) < config.min_profiles or not reference.sum() or not latest.sum():
        return UNKNOWN_SHIFT
    value = psi(reference, latest)
    bins = int(((reference + latest) > 0).sum())
    chance = (1 / profiles[0] + 1 / profiles[1]) * stats.chi2.isf(config.false_alarm_rate, max(bins - 1, 1))
    return DriftShift(value, _derive_level(value if value > chance else 0.0, config))


def measure_score_shift(reference: Float64Array, latest: Float64Array, config: DriftConfig) -> DriftShift:
    """Of one figure for each profile, binned by the tenths of the reference. What is not finite is left out."""
    before, now = reference[np.isfinite(reference)], latest[np.isfinite(latest)]
    if min(before.size, now.size) < config.min_profiles:
        return UNKNOWN_SHIFT
    edges = np.unique(np.quantile(before, np.linspace(0.1, 0.9, 9)))
    tables = [np.bincount(np.searchsorted(edges, v), minlength=edges.size + 1) for v in (before, now)]
    return measure_shift(tables[0], tables[1], (before.size, now.size), config)


def measure_coverage_shift(reference: Int32Array, latest: Int32Array, config: DriftConfig) -> DriftShift:
    """Of lists, (profiles, k), -1 for no item: the relative change of distinct items in equally many lists."""
    size = min(len(reference), len(latest))
    if size < config.min_profiles:
        return UNKNOWN_SHIFT
    before, now = (np.unique(part[:size][part[:size] >= 0]).size for part in (reference, latest))
    if not before:
        return UNKNOWN_SHIFT
    change = now / before - 1
    chance = stats.norm.isf(config.false_alarm_rate / 2) * sqrt(1 / before + 1 / max(now, 1))
    return DriftShift(change, _derive_level(abs(change) if abs(change) > chance else 0.0, config))


def find_worst_level(shifts: Mapping[str, DriftShift]) -> DriftLevel:
    order: tuple[DriftLevel, ...] = ("unknown", "steady", "moved", "drifted")
    return max((one.level for one in shifts.values()), key=order.index, default="unknown")


def _derive_level(value: float, config: DriftConfig) -> DriftLevel:
    if value >= config.drifted:
        return "drifted"
    return "moved" if value >= config.moved else "steady"


def _estimate_proportions(counts: Int64Array) -> Float64Array:
    return np.asarray((counts + 0.5) / (counts.sum() + 0.5 * counts.size), dtype=np.float64)
