"""What was judged and observed of a model version, in the words of its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recommender.registry.reasons import observed_words, slice_words
from recommender.registry.types import VersionView

TONES = {"steady": "good", "moved": "warn", "drifted": "bad", "unknown": "calm"}


@dataclass(frozen=True, slots=True)
class Group:
    """A slice of the cases; `live` is None where the live model could not be compared."""

    name: str
    cases: int
    ours: float | None
    popularity: float | None
    live: float | None


@dataclass(frozen=True, slots=True)
class FollowedBy:
    """The share of answers that were followed by this, now and with the version before."""

    name: str
    now: float
    before: float
    dropped: bool


@dataclass(frozen=True, slots=True)
class Service:
    against: str
    answers: int
    followed: list[FollowedBy]


@dataclass(frozen=True, slots=True)
class Moved:
    """`value` is the stability index, or the change of coverage."""

    name: str
    value: float | None
    level: str
    tone: str


@dataclass(frozen=True, slots=True)
class DriftSeen:
    level: str
    tone: str
    alarm: bool
    moved: list[Moved]
    measured_at: datetime | None


def groups(version: VersionView) -> list[Group]:
    """The largest first."""
    slices = _mapping(_mapping(version.metrics.get("judgement")).get("slices"))
    found = [_group(name, _mapping(one)) for name, one in slices.items()]
    return sorted(found, key=lambda group: -group.cases)


def service(version: VersionView) -> Service | None:
    """None before the first look at its answers."""
    rates = _mapping(version.live.get("rates"))
    if not rates:
        return None
    dropped = version.live.get("dropped", [])
    followed = [
        FollowedBy(observed_words(name), float(pair[0]), float(pair[1]), name in dropped)
        for name, pair in rates.items()
    ]
    return Service(str(version.live.get("against", "")), int(version.live.get("answers", 0)), followed)


def drift(version: VersionView) -> DriftSeen | None:
    """None before the first measurement."""
    if not version.drift:
        return None
    level = str(version.drift.get("level", "unknown"))
    shifts = _mapping(version.drift.get("shifts"))
    measured_at = version.drift.get("measured_at")
    return DriftSeen(
        level=observed_words(level),
        tone=TONES.get(level, "calm"),
        alarm=level == "drifted",
        moved=[_moved(name, _mapping(one)) for name, one in shifts.items()],
        measured_at=datetime.fromisoformat(measured_at) if isinstance(measured_at, str) else None,
    )


def _moved(name: str, one: Mapping[str, Any]) -> Moved:
    level = str(one.get("level", "unknown"))
    value = one.get("value")
    number = float(value) if isinstance(value, int | float) else None
    return Moved(observed_words(name), number, observed_words(level), TONES.get(level, "calm"))


def _group(name: str, one: Mapping[str, Any]) -> Group:
    bar, live = _mapping(one.get("popularity")), _mapping(one.get("live"))
    return Group(
        slice_words(name), int(bar.get("cases", 0)), bar.get("ours"), bar.get("theirs"), live.get("theirs")
    )


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}
