"""The reports page: volumes, click-through, coverage, model quality over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from lepton_platform.portal import figures
from lepton_platform.portal.access import Here
from lepton_platform.portal.figures import Course, Period, Stat
from lepton_platform.portal.quality import Quality, history, quality
from lepton_platform.portal.templatetags.portal import kind_name
from recommender.registry import queries as registry
from recommender.registry.types import VersionView
from tenants.data.queries import catalog, counters, receipts, space
from tenants.data.queries.counters import DailyCount
from tenants.scope import scope

Table = tuple[list[str], list[list[object]]]
_RECEIPTS = 2_000


@dataclass(frozen=True, slots=True)
class Coverage:
    """Distinct items among the latest answers, against all live items."""

    shown: int
    live: int
    answers: int

    @property
    def share(self) -> float | None:
        return min(1.0, self.shown / self.live) if self.live and self.answers else None


@dataclass(frozen=True, slots=True)
class Report:
    period: Period
    counts: Sequence[DailyCount]
    versions: Sequence[VersionView]
    coverage: Coverage
    least: int

    @property
    def requests(self) -> Course:
        return figures.requests(self.counts, self.period)

    @property
    def clicks(self) -> Course:
        return figures.clicks(self.counts, self.period)

    @property
    def stats(self) -> list[Stat]:
        events = figures.events(self.counts, self.period)
        return [
            figures.count_stat(_("Recommendation requests"), self.requests),
            figures.rate_stat(_("Click-through rate"), self.clicks, figures.served(self.counts, self.period)),
            figures.count_stat(_("Events received"), events),
        ]

    @property
    def kinds(self) -> list[tuple[str, Course]]:
        return figures.kinds(self.counts, self.period)

    @property
    def volume_chart(self) -> dict[str, Any] | None:
        lines = [figures.line(kind_name(name), self._shown(found)) for name, found in self.kinds]
        return self._chart(lines, kind="bar", whole=True) if lines else None

    @property
    def rate_chart(self) -> dict[str, Any] | None:
        served = figures.served(self.counts, self.period)
        if not served.total:
            return None
        clicks = self._shown(self.clicks)
        rates = [None if one is None else one * 100 for one in figures.rate(clicks, served.values)]
        return self._chart([figures.line(_("Click-through rate"), rates, filled=True)], unit="%")

    @property
    def quality_chart(self) -> dict[str, Any] | None:
        return history(self.versions)

    @property
    def qualities(self) -> list[Quality]:
        return [quality(version) for version in self.versions]

    def day_table(self) -> Table:
        names = [name for name, _course in self.kinds]
        served = figures.served(self.counts, self.period)
        columns: list[Sequence[int | None]] = [self.requests.values, served.values, self._shown(self.clicks)]
        columns += [self._shown(found) for _name, found in self.kinds]
        days = [day.isoformat() for day in self.period.dates()]
        rows: list[list[object]] = [[day, *(one[n] for one in columns)] for n, day in enumerate(days)]
        return ["day", "requests", "items_served", "clicks_on_recommendations", *names], rows

    def model_table(self) -> Table:
        rows: list[list[object]] = [
            [
                one.version.name,
                one.version.state,
                one.version.trained_at.isoformat(),
                one.ndcg,
                one.popularity,
                one.recall,
                one.coverage,
                one.clicked,
                one.version.drift.get("level"),
                one.why,
            ]
            for one in self.qualities
        ]
        header = [
            "version",
            "state",
            "trained_at",
            "ndcg@10",
            "popularity_ndcg@10",
            "recall@10",
            "coverage@10",
            "clicked_in_service",
            "drift",
        ]
        return [*header, "reason"], rows

    def _shown(self, found: Course) -> list[int | None]:
        return figures.masked(found.values, self.least)

    def _chart(self, lines: list[dict[str, Any]], **look: Any) -> dict[str, Any]:
        return {"labels": figures.day_labels(self.period), "series": lines, **look}


def read(here: Here, period: Period) -> Report:
    with scope(here.ref, actor=here.actor) as s:
        counts = counters.daily(s, period.before, period.until)
        versions = registry.versions(s)
        latest = list(receipts.latest(s, limit=_RECEIPTS))
        live, _total = catalog.counts(s)
        least = space.state(s).privacy.report_minimum_count
    return Report(period, counts, versions, _coverage(latest, live), least)


def _coverage(receipts_found: Sequence[Mapping[str, Any]], live: int) -> Coverage:
    asked = [one for one in receipts_found if not one["scenario"].startswith(figures.TRIED_HERE)]
    shown = {number for one in asked for number in one["items"]}
    return Coverage(len(shown), live, len(asked))
