"""Slices, online metrics and drift of a model version, as its page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lepton_platform.portal.presenters.json_values import get_mapping, get_number
from recommender.registry.reasons import translate_signal_name, translate_slice_name
from recommender.registry.types import VersionView

# Values of `data-tone`, the colour of a badge in portal.css.
LEVEL_TONES = {"steady": "good", "moved": "warn", "drifted": "bad", "unknown": "calm"}


@dataclass(frozen=True, slots=True)
class SliceMetrics:
    """nDCG of a group of test cases. `live_ndcg` is None if there was no active model to compare with."""

    name: str
    n_cases: int
    ndcg: float | None
    popularity_ndcg: float | None
    live_ndcg: float | None


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """Fraction of recommendations that were followed by an outcome, for this version and the baseline version.

    `dropped` is true if this version's rate is significantly worse.
    """

    name: str
    current_rate: float
    previous_rate: float
    dropped: bool


@dataclass(frozen=True, slots=True)
class OnlineMetrics:
    """What followed a version's recommendations within an hour."""

    baseline_version: str
    n_requests: int
    outcome_rates: list[OutcomeRow]


@dataclass(frozen=True, slots=True)
class DriftRow:
    """`value` is the population stability index, or the relative change for the coverage."""

    name: str
    value: float | None
    level: str
    tone: str


@dataclass(frozen=True, slots=True)
class DriftSummary:
    """The highest level over all measures, and the measures. `tone` is the badge colour of the level."""

    level: str
    tone: str
    is_alarm: bool
    shifts: list[DriftRow]
    measured_at: datetime | None


def present_slices(version: VersionView) -> list[SliceMetrics]:
    """Returns the slices that the promotion gate compared, the largest first."""
    slices = get_mapping(version.parsed_metrics.gate, "slices")
    presented = [_present_slice(name, get_mapping(slices, name)) for name in slices]
    presented.sort(key=lambda row: -row.n_cases)
    return presented


def present_online_metrics(version: VersionView) -> OnlineMetrics | None:
    """Returns the online metrics, or None before the first analysis."""
    rates = get_mapping(version.live, "rates")
    if not rates:
        return None
    dropped = version.live.get("dropped", [])
    outcomes = []
    # A pair: the rate of this version and that of the baseline version.
    for name, (current_rate, previous_rate) in rates.items():
        outcomes.append(
            OutcomeRow(
                name=translate_signal_name(name),
                current_rate=float(current_rate),
                previous_rate=float(previous_rate),
                dropped=name in dropped,
            )
        )
    return OnlineMetrics(
        baseline_version=str(version.live.get("baseline_version", "")),
        n_requests=int(version.live.get("recommendations", 0)),
        outcome_rates=outcomes,
    )


def present_drift(version: VersionView) -> DriftSummary | None:
    """Returns the drift, or None before the first measurement."""
    if not version.drift:
        return None
    level = str(version.drift.get("level", "unknown"))
    shifts = get_mapping(version.drift, "shifts")
    measured_at = version.drift.get("measured_at")
    return DriftSummary(
        level=translate_signal_name(level),
        tone=LEVEL_TONES.get(level, "calm"),
        is_alarm=level == "drifted",
        shifts=[_present_shift(name, get_mapping(shifts, name)) for name in shifts],
        measured_at=datetime.fromisoformat(measured_at) if isinstance(measured_at, str) else None,
    )


def _present_shift(name: str, shift: Mapping[str, Any]) -> DriftRow:
    level = str(shift.get("level", "unknown"))
    return DriftRow(
        name=translate_signal_name(name),
        value=get_number(shift, "value"),
        level=translate_signal_name(level),
        tone=LEVEL_TONES.get(level, "calm"),
    )


def _present_slice(name: str, comparison: Mapping[str, Any]) -> SliceMetrics:
    # Both comparisons contain the candidate's own nDCG; the one with the baseline always exists.
    against_popularity = get_mapping(comparison, "popularity")
    against_live = get_mapping(comparison, "live")
    return SliceMetrics(
        name=translate_slice_name(name),
        n_cases=int(against_popularity.get("cases", 0)),
        ndcg=against_popularity.get("candidate"),
        popularity_ndcg=against_popularity.get("baseline"),
        live_ndcg=against_live.get("baseline"),
    )
