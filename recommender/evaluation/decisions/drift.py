"""Drift between the data a model was trained on and the latest days: the population stability index (PSI).

PSI = sum over bins of (q - p) ln(q / p), where p are proportions of the reference and q those of the latest days. By the
custom of credit scoring (Siddiqi 2006), 0.1 is worth an inspection and 0.25 is an alarm. Without any change the expected
PSI is not zero but about (1 / n + 1 / m) chi2(bins - 1) (Yurdakul and Naranjo 2020). A shift is reported only where it
exceeds that chance level, with n and m the numbers of profiles: events of one profile are not independent.
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
LEVELS_BY_SEVERITY: tuple[DriftLevel, ...] = ("unknown", "steady", "moved", "drifted")


@dataclass(frozen=True, slots=True)
class DriftConfig:
    """Thresholds of drift.

    moved, drifted: thresholds of the PSI, and of the relative change of coverage.
    min_profiles: profiles on either side below which the level is "unknown".
    false_alarm_rate: probability of a level above "steady" where nothing has changed.
    """

    moved: float = 0.1
    drifted: float = 0.25
    min_profiles: int = 50
    false_alarm_rate: float = 0.001

    def __post_init__(self) -> None:
        if not 0 < self.moved < self.drifted:
            raise DataError("The drift thresholds must satisfy 0 < moved < drifted.")
        if self.min_profiles < 2 or not 0 < self.false_alarm_rate < 0.5:
            raise DataError("Drift needs at least two profiles and a false alarm rate between 0 and 0.5.")


@dataclass(frozen=True, slots=True)
class DriftShift:
    """`value` is the PSI, or for coverage the relative change; None where there is too little data."""

    value: float | None
    level: DriftLevel

    def to_json(self) -> dict[str, Any]:
        """The fields value and level."""
        return {"value": self.value, "level": self.level}


UNKNOWN_SHIFT = DriftShift(None, "unknown")


def psi(reference: Int64Array, latest: Int64Array) -> float:
    """PSI of two tables of counts over the same bins; 0 where fewer than two bins have a count."""
    is_used = (reference + latest) > 0
    if is_used.sum() < 2 or not reference.sum() or not latest.sum():
        return 0.0
    p = _estimate_proportions(reference[is_used])
    q = _estimate_proportions(latest[is_used])
    terms = (q - p) * np.log(q / p)
    return float(terms.sum())


def measure_shift(
    reference: Int64Array,
    latest: Int64Array,
    profiles: tuple[int, int],
    config: DriftConfig,
) -> DriftShift:
    """Shift between two tables of counts.

    Args:
        reference: counts by bin in the training data.
        latest: counts by bin in the latest days.
        profiles: number of profiles with events in the reference and in the latest days.
        config: thresholds.
    """
    if min(profiles) < config.min_profiles or not reference.sum() or not latest.sum():
        return UNKNOWN_SHIFT
    value = psi(reference, latest)
    is_used = (reference + latest) > 0
    n_bins = int(is_used.sum())
    quantile = stats.chi2.isf(config.false_alarm_rate, max(n_bins - 1, 1))
    chance_level = (1 / profiles[0] + 1 / profiles[1]) * quantile
    significant_value = value if value > chance_level else 0.0
    return DriftShift(value, _derive_level(significant_value, config))


def measure_score_shift(reference: Float64Array, latest: Float64Array, config: DriftConfig) -> DriftShift:
    """Shift of one number per profile, binned by the deciles of the reference; numbers that are not finite are ignored."""
    reference = reference[np.isfinite(reference)]
    latest = latest[np.isfinite(latest)]
    if min(reference.size, latest.size) < config.min_profiles:
        return UNKNOWN_SHIFT
    deciles = np.quantile(reference, np.linspace(0.1, 0.9, 9))
    edges = np.unique(deciles)
    reference_counts = _count_by_bin(reference, edges)
    latest_counts = _count_by_bin(latest, edges)
    n_profiles = (reference.size, latest.size)
    return measure_shift(reference_counts, latest_counts, n_profiles, config)


def measure_coverage_shift(reference: Int32Array, latest: Int32Array, config: DriftConfig) -> DriftShift:
    """Relative change of the number of distinct items in equally many lists (profiles, k); -1 is no item."""
    n_lists = min(len(reference), len(latest))
    if n_lists < config.min_profiles:
        return UNKNOWN_SHIFT
    n_before = _count_distinct_items(reference[:n_lists])
    n_after = _count_distinct_items(latest[:n_lists])
    if not n_before:
        return UNKNOWN_SHIFT
    change = n_after / n_before - 1
    # Two-sided normal limit for the ratio of two Poisson counts.
    quantile = stats.norm.isf(config.false_alarm_rate / 2)
    standard_error = sqrt(1 / n_before + 1 / max(n_after, 1))
    chance_level = quantile * standard_error
    significant_change = abs(change) if abs(change) > chance_level else 0.0
    return DriftShift(change, _derive_level(significant_change, config))


def find_worst_level(shifts: Mapping[str, DriftShift]) -> DriftLevel:
    """The most severe level; "unknown" without shifts."""
    levels = [shift.level for shift in shifts.values()]
    return max(levels, key=LEVELS_BY_SEVERITY.index, default="unknown")


def _count_by_bin(values: Float64Array, edges: Float64Array) -> Int64Array:
    """Number of values in each bin; the bins are open at both ends."""
    bins = np.searchsorted(edges, values)
    return np.bincount(bins, minlength=edges.size + 1)


def _count_distinct_items(lists: Int32Array) -> int:
    items = lists[lists >= 0]
    return np.unique(items).size


def _derive_level(value: float, config: DriftConfig) -> DriftLevel:
    if value >= config.drifted:
        return "drifted"
    return "moved" if value >= config.moved else "steady"


def _estimate_proportions(counts: Int64Array) -> Float64Array:
    """Proportions with half a case added to each bin, so that the logarithm of an empty bin is finite."""
    total = counts.sum() + 0.5 * counts.size
    return np.asarray((counts + 0.5) / total, dtype=np.float64)
