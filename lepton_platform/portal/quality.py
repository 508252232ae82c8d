"""What a model version's metrics say, in the words of the models page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from lepton_platform.portal.figures import line
from recommender.registry.types import VersionView

NDCG, RECALL, COVERAGE = "ndcg@10", "recall@10", "coverage@10"


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    ndcg: float | None
    recall: float | None
    coverage: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    version: VersionView
    ndcg: float | None
    recall: float | None
    coverage: float | None
    popularity: float | None
    members: list[Member]

    @property
    def uplift(self) -> float | None:
        """Relative gain in nDCG over popularity; None where either is unknown or zero."""
        if self.ndcg is None or not self.popularity:
            return None
        return self.ndcg / self.popularity - 1

    @property
    def may_serve(self) -> bool:
        return self.version.kept and self.version.state in ("candidate", "retired")


def quality(version: VersionView) -> Quality:
    blend = _measures(version.metrics.get("blend"))
    members = version.metrics.get("members") or {}
    popularity = _measures(members.get("popularity") or version.metrics.get("popularity"))
    return Quality(
        version=version,
        ndcg=_number(blend, NDCG),
        recall=_number(blend, RECALL),
        coverage=_number(blend, COVERAGE),
        popularity=_number(popularity, NDCG),
        members=[_member(name, found) for name, found in members.items()],
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


def _member(name: str, found: Mapping[str, Any]) -> Member:
    measures = _measures(found)
    return Member(
        name,
        _number(measures, NDCG),
        _number(measures, RECALL),
        _number(measures, COVERAGE),
        _number(found, "seconds"),
    )


def _measures(found: Any) -> Mapping[str, Any]:
    """Measures on the test split, or on validation where no test was made."""
    if not isinstance(found, Mapping):
        return {}
    test = found.get("test") or found.get("validation")
    return test if isinstance(test, Mapping) else found


def _number(found: Mapping[str, Any], name: str) -> float | None:
    value = found.get(name)
    if isinstance(value, Mapping):
        value = value.get("value", value.get("mean"))
    return float(value) if isinstance(value, int | float) else None


def _day(version: VersionView) -> str:
    return date_format(localtime(version.trained_at), "j M")
