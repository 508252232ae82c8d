"""The reports page: volumes, click-through, coverage, model quality over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from lepton_platform.portal.access import WorkspaceContext
from lepton_platform.portal.presenters import statistics
from lepton_platform.portal.presenters.model_quality import ModelQuality, build_quality_chart, present_quality
from lepton_platform.portal.presenters.statistics import ReportPeriod, Stat, TimeSeries
from lepton_platform.portal.templatetags.portal import translate_event_kind
from recommender.registry import queries as registry
from recommender.registry.types import VersionView
from tenants.data.queries import catalog, counters, receipts, tenant_state
from tenants.data.queries.counters import DailyCount
from tenants.scope import scope

ReportTable = tuple[list[str], list[list[object]]]
_MAX_RECEIPTS = 2_000


@dataclass(frozen=True, slots=True)
class CatalogueCoverage:
    """Distinct items among the latest answers, against all live items."""

    recommended_items: int
    live_items: int
    n_requests: int

    @property
    def fraction(self) -> float | None:
        return (
            min(1.0, self.recommended_items / self.live_items)
            if self.live_items and self.n_requests
            else None
        )


@dataclass(frozen=True, slots=True)
class WorkspaceReport:
    period: ReportPeriod
    counts: Sequence[DailyCount]
    versions: Sequence[VersionView]
    coverage: CatalogueCoverage
    min_count: int

    @property
    def requests(self) -> TimeSeries:
        return statistics.count_requests(self.counts, self.period)

    @property
    def clicks(self) -> TimeSeries:
        return statistics.count_clicks(self.counts, self.period)

    @property
    def stats(self) -> list[Stat]:
        events = statistics.count_events(self.counts, self.period)
        return [
            statistics.build_count_stat(_("Recommendation requests"), self.requests),
            statistics.build_rate_stat(
                _("Click-through rate"), self.clicks, statistics.count_served_items(self.counts, self.period)
            ),
            statistics.build_count_stat(_("Events received"), events),
        ]

    @property
    def events_by_kind(self) -> list[tuple[str, TimeSeries]]:
        return statistics.count_events_by_kind(self.counts, self.period)

    @property
    def volume_chart(self) -> dict[str, Any] | None:
        lines = [
            statistics.build_chart_line(translate_event_kind(name), self._suppress_small_counts(found))
            for name, found in self.events_by_kind
        ]
        return self._build_chart(lines, kind="bar", whole=True) if lines else None

    @property
    def rate_chart(self) -> dict[str, Any] | None:
        served = statistics.count_served_items(self.counts, self.period)
        if not served.total:
            return None
        clicks = self._suppress_small_counts(self.clicks)
        rates = [
            None if one is None else one * 100 for one in statistics.compute_rates(clicks, served.values)
        ]
        return self._build_chart(
            [statistics.build_chart_line(_("Click-through rate"), rates, filled=True)], unit="%"
        )

    @property
    def quality_chart(self) -> dict[str, Any] | None:
        return build_quality_chart(self.versions)

    @property
    def qualities(self) -> list[ModelQuality]:
        return [present_quality(version) for version in self.versions]

    def build_day_table(self) -> ReportTable:
        names = [name for name, _course in self.events_by_kind]
        served = statistics.count_served_items(self.counts, self.period)
        columns: list[Sequence[int | None]] = [
            self.requests.values,
            served.values,
            self._suppress_small_counts(self.clicks),
        ]
        columns += [self._suppress_small_counts(found) for _name, found in self.events_by_kind]
        days = [day.isoformat() for day in self.period.list_dates()]
        rows: list[list[object]] = [[day, *(one[n] for one in columns)] for n, day in enumerate(days)]
        return ["day", "requests", "items_served", "clicks_on_recommendations", *names], rows

    def build_model_table(self) -> ReportTable:
        rows: list[list[object]] = [
            [
                one.version.name,
                one.version.state,
                one.version.trained_at.isoformat(),
                one.ndcg,
                one.popularity_ndcg,
                one.recall,
                one.coverage,
                one.click_rate,
                one.version.drift.get("level"),
                one.decision_text,
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
            "online_click_rate",
            "drift",
        ]
        return [*header, "reason"], rows

    def _suppress_small_counts(self, series: TimeSeries) -> list[int | None]:
        return statistics.suppress_small_counts(series.values, self.min_count)

    def _build_chart(self, lines: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        return {"labels": statistics.format_day_labels(self.period), "series": lines, **options}


def load_report(workspace: WorkspaceContext, period: ReportPeriod) -> WorkspaceReport:
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        counts = counters.list_daily_counts(s, period.previous_start_date, period.end_date)
        versions = registry.list_versions(s)
        latest = list(receipts.iter_latest_receipts(s, limit=_MAX_RECEIPTS))
        live, _total = catalog.count_items(s)
        least = tenant_state.get_state(s).privacy.report_min_count
    return WorkspaceReport(period, counts, versions, _compute_coverage(latest, live), least)


def _compute_coverage(receipt_rows: Sequence[Mapping[str, Any]], live_items: int) -> CatalogueCoverage:
    asked = [one for one in receipt_rows if not one["scenario"].startswith(statistics.PORTAL_SCENARIO_PREFIX)]
    shown = {number for one in asked for number in one["items"]}
    return CatalogueCoverage(len(shown), live_items, len(asked))
