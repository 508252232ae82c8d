"""What a model version's metrics say, in the words of the models page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from lepton_platform.portal.figures import line, short_day
from lepton_platform.portal.watched import DriftSeen, Group, Service, drift, groups, service
from lepton_platform.portal.wording import not_served, phrase, reason_name, verdict_words
from recommender.registry.reasons import words
from recommender.registry.types import VersionView

NDCG, RECALL, COVERAGE = "ndcg@10", "recall@10", "coverage@10"


@dataclass(frozen=True, slots=True)
class Member:
    """`weight` is a share of all. Measured alone on the events that taught the blend its weights, and `without` is the
    nDCG of the best blend without it on them; `left_out` says why it is not part."""

    name: str
    weight: float | None = None
    ndcg: float | None = None
    recall: float | None = None
    coverage: float | None = None
    without: float | None = None
    seconds: float | None = None
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """`learned` counts the events of the training; `left_out` those that were stored and not learned from, by reason."""

    version: VersionView
    ndcg: float | None
    recall: float | None
    coverage: float | None
    popularity: float | None
    cases: int
    members: list[Member]
    learned: int | None = None
    left_out: list[tuple[str, int]] = field(default_factory=list)
    reviews: int | None = None
    reviews_left_out: list[tuple[str, int]] = field(default_factory=list)
    reviewed: int | None = None

    @property
    def uplift(self) -> float | None:
        """Relative gain in nDCG over popularity; None where either is unknown or zero."""
        if self.ndcg is None or not self.popularity:
            return None
        return self.ndcg / self.popularity - 1

    @property
    def may_serve(self) -> bool:
        return self.version.kept and self.version.state in ("candidate", "retired")

    @property
    def groups(self) -> list[Group]:
        return groups(self.version)

    @property
    def service(self) -> Service | None:
        return service(self.version)

    @property
    def clicked(self) -> float | None:
        """The share of its answers that were clicked; None before the first look."""
        rates = _mapping(self.version.live.get("rates")).get("clicks")
        return float(rates[0]) if rates else None

    @property
    def drift(self) -> DriftSeen | None:
        return drift(self.version)

    @property
    def why(self) -> str:
        """Rows that earlier versions wrote have a sentence and no codes."""
        return words(self.version.reasons) if self.version.reasons else verdict_words(self.version.reason)


def quality(version: VersionView) -> Quality:
    metrics = version.metrics
    served, reviews = _mapping(metrics.get("served")), _mapping(metrics.get("reviews"))
    return Quality(
        version=version,
        ndcg=_number(served, NDCG),
        recall=_number(served, RECALL),
        coverage=_number(served, COVERAGE),
        popularity=_number(_mapping(metrics.get("popularity")), NDCG),
        cases=int(metrics.get("cases") or 0),
        members=_members(metrics),
        learned=_whole(_mapping(metrics.get("data")).get("events")),
        left_out=_left_out(_mapping(_mapping(metrics.get("data")).get("events_left_out"))),
        reviews=_whole(reviews.get("read")) if reviews.get("stored") else None,
        reviews_left_out=_left_out(_mapping(reviews.get("left_out"))),
        reviewed=_whole(reviews.get("items")),
    )


def history(versions: Sequence[VersionView]) -> dict[str, Any] | None:
    """The chart of quality over versions, oldest first; None while fewer than one was measured."""
    measured = [one for one in map(quality, reversed(versions)) if one.ndcg is not None]
    if not measured:
        return None
    return {
        "labels": [f"{one.version.name} · {_day(one.version)}" for one in measured],
        "series": [
            line(_("This model"), [one.ndcg for one in measured], filled=True),
            line(_("Popularity"), [one.popularity for one in measured], dashed=True),
        ],
    }


def _members(metrics: Mapping[str, Any]) -> list[Member]:
    """The heaviest first, those that could not learn last."""
    weights, seconds = _mapping(metrics.get("weights")), _mapping(metrics.get("seconds"))
    measured = _mapping(metrics.get("validation"))
    choice = _mapping(metrics.get("choice"))
    without, dropped = _mapping(choice.get("without")), _mapping(choice.get("dropped"))
    total = sum(float(weight) for weight in weights.values()) or 1.0
    found = [
        Member(
            name=name,
            weight=float(weights.get(name, 0.0)) / total,
            ndcg=_number(_mapping(measured.get(name)), NDCG),
            recall=_number(_mapping(measured.get(name)), RECALL),
            coverage=_number(_mapping(measured.get(name)), COVERAGE),
            without=_number(without, name),
            seconds=_number(seconds, name),
            left_out=not_served(str(dropped.get(name, ""))),
        )
        for name in {**weights, **dropped}
    ]
    left_out = _mapping(metrics.get("members_left_out"))
    return sorted(found, key=lambda member: -(member.weight or 0.0)) + [
        Member(name, left_out=phrase(str(reason))) for name, reason in left_out.items()
    ]


def _left_out(counts: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The most first."""
    found = [(reason_name(reason), n) for reason, count in counts.items() if (n := _whole(count))]
    return sorted(found, key=lambda one: -one[1])


def _whole(found: Any) -> int | None:
    return found if isinstance(found, int) else None


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _number(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    return float(value) if isinstance(value, int | float) else None


def _day(version: VersionView) -> str:
    return short_day(localtime(version.trained_at))
