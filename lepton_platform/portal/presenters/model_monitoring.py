"""What was judged and observed of a model version, in the words of its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recommender.registry.reasons import translate_signal_name, translate_slice_name
from recommender.registry.types import VersionView

LEVEL_TONES = {"steady": "good", "moved": "warn", "drifted": "bad", "unknown": "calm"}


@dataclass(frozen=True, slots=True)
class SliceMetrics:
    """A slice of the cases; `live` is None where the live model could not be compared."""

    name: str
    n_cases: int
    ndcg: float | None
    popularity_ndcg: float | None
    live_ndcg: float | None


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """The share of answers that were followed by this, now and with the version before."""

    name: str
    current_rate: float
    previous_rate: float
    dropped: bool


@dataclass(frozen=True, slots=True)
class OnlineMetrics:
    baseline_version: str
    n_requests: int
    outcome_rates: list[OutcomeRow]


@dataclass(frozen=True, slots=True)
class DriftRow:
    """`value` is the stability index, or the change of coverage."""

    name: str
    value: float | None
    level: str
    tone: str


@dataclass(frozen=True, slots=True)
class DriftSummary:
    level: str
    tone: str
    is_alarm: bool
    shifts: list[DriftRow]
    measured_at: datetime | None


def present_slices(version: VersionView) -> list[SliceMetrics]:
    """The largest first."""
    slices = _ensure_mapping(_ensure_mapping(version.metrics.get("gate")).get("slices"))
    found = [_present_slice(name, _ensure_mapping(one)) for name, one in slices.items()]
    return sorted(found, key=lambda group: -group.n_cases)


def present_online_metrics(version: VersionView) -> OnlineMetrics | None:
    """None before the first look at its answers."""
    rates = _ensure_mapping(version.live.get("rates"))
    if not rates:
        return None
    dropped = version.live.get("dropped", [])
    followed = [
        OutcomeRow(translate_signal_name(name), float(pair[0]), float(pair[1]), name in dropped)
        for name, pair in rates.items()
    ]
    return OnlineMetrics(str(version.live.get("against", "")), int(version.live.get("answers", 0)), followed)


def present_drift(version: VersionView) -> DriftSummary | None:
    """None before the first measurement."""
    if not version.drift:
        return None
    level = str(version.drift.get("level", "unknown"))
    shifts = _ensure_mapping(version.drift.get("shifts"))
    measured_at = version.drift.get("measured_at")
    return DriftSummary(
        level=translate_signal_name(level),
        tone=LEVEL_TONES.get(level, "calm"),
        is_alarm=level == "drifted",
        shifts=[_present_shift(name, _ensure_mapping(one)) for name, one in shifts.items()],
        measured_at=datetime.fromisoformat(measured_at) if isinstance(measured_at, str) else None,
    )


def _present_shift(name: str, shift: Mapping[str, Any]) -> DriftRow:
    level = str(shift.get("level", "unknown"))
    value = shift.get("value")
    number = float(value) if isinstance(value, int | float) else None
    return DriftRow(
        translate_signal_name(name), number, translate_signal_name(level), LEVEL_TONES.get(level, "calm")
    )


def _present_slice(name: str, comparison: Mapping[str, Any]) -> SliceMetrics:
    bar, live = _ensure_mapping(comparison.get("popularity")), _ensure_mapping(comparison.get("live"))
    return SliceMetrics(
        translate_slice_name(name),
        int(bar.get("cases", 0)),
        bar.get("candidate"),
        bar.get("baseline"),
        live.get("baseline"),
    )


def _ensure_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
