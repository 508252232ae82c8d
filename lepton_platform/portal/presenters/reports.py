"""The reports page: event volumes, click-through rate, catalogue coverage, model quality over time."""

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

# Coverage of the latest requests only: a receipt has a list of items, and a period may have millions.
_MAX_RECEIPTS = 2_000


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table for download. Column names are part of the file format and are not translated."""

    header: list[str]
    rows: list[list[object]]


@dataclass(frozen=True, slots=True)
class CatalogueCoverage:
    """Number of distinct items in the latest recommendations, and of all live items."""

    recommended_items: int
    live_items: int
    n_requests: int

    @property
    def fraction(self) -> float | None:
        """Fraction of the live items that were recommended; None without live items or requests."""
        if not self.live_items or not self.n_requests:
            return None
        # Items that were retired after they were recommended can make the ratio larger than 1.
        return min(1.0, self.recommended_items / self.live_items)


@dataclass(frozen=True, slots=True)
class WorkspaceReport:
    """The data of the reports page. Counts from 1 to below `min_count` are not shown."""

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
    def served_items(self) -> TimeSeries:
        return statistics.count_served_items(self.counts, self.period)

    @property
    def stats(self) -> list[Stat]:
        """The figures at the top of the page."""
        events = statistics.count_events(self.counts, self.period)
        return [
            statistics.build_count_stat(_("Recommendation requests"), self.requests),
            statistics.build_rate_stat(_("Click-through rate"), self.clicks, self.served_items),
            statistics.build_count_stat(_("Events received"), events),
        ]

    @property
    def events_by_kind(self) -> list[tuple[str, TimeSeries]]:
        """Event kinds with their counts, the most frequent first."""
        return statistics.count_events_by_kind(self.counts, self.period)

    @property
    def volume_chart(self) -> dict[str, Any] | None:
        """Stacked bars of events by kind; None without events."""
        bars = []
        for kind, series in self.events_by_kind:
            values = self._suppress_small_counts(series)
            bars.append(statistics.build_chart_line(translate_event_kind(kind), values))
        if not bars:
            return None
        return self._build_chart(bars, kind="bar", integer_axis=True)

    @property
    def rate_chart(self) -> dict[str, Any] | None:
        """Click-through rate by day in per cent; None if no item was recommended."""
        # Properties compute their series anew, so it is read once.
        served_items = self.served_items
        if not served_items.total:
            return None
        clicks = self._suppress_small_counts(self.clicks)
        percentages: list[float | None] = []
        for rate in statistics.compute_rates(clicks, served_items.values):
            percentages.append(None if rate is None else rate * 100)
        line = statistics.build_chart_line(_("Click-through rate"), percentages, filled=True)
        return self._build_chart([line], unit="%")

    @property
    def quality_chart(self) -> dict[str, Any] | None:
        return build_quality_chart(self.versions)

    @property
    def qualities(self) -> list[ModelQuality]:
        return [present_quality(version) for version in self.versions]

    def build_day_table(self) -> ReportTable:
        """Returns one row for each day with the counts of requests, items, clicks and events by kind."""
        header = ["day", "requests", "items_served", "clicks_on_recommendations"]
        columns: list[Sequence[int | None]] = [
            self.requests.values,
            self.served_items.values,
            self._suppress_small_counts(self.clicks),
        ]
        for kind, series in self.events_by_kind:
            header.append(kind)
            columns.append(self._suppress_small_counts(series))
        rows: list[list[object]] = []
        for index, day in enumerate(self.period.list_dates()):
            rows.append([day.isoformat(), *(column[index] for column in columns)])
        return ReportTable(header, rows)

    def build_model_table(self) -> ReportTable:
        """Returns one row for each version with its offline and online metrics."""
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
            "reason",
        ]
        rows: list[list[object]] = []
        for quality in self.qualities:
            version = quality.version
            rows.append(
                [
                    version.name,
                    version.state,
                    version.trained_at.isoformat(),
                    quality.ndcg,
                    quality.popularity_ndcg,
                    quality.recall,
                    quality.coverage,
                    quality.click_rate,
                    version.drift.get("level"),
                    quality.decision_text,
                ]
            )
        return ReportTable(header, rows)

    def _suppress_small_counts(self, series: TimeSeries) -> list[int | None]:
        return statistics.suppress_small_counts(series.values, self.min_count)

    def _build_chart(self, series: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        return {"labels": statistics.format_day_labels(self.period), "series": series, **options}


def load_report(workspace: WorkspaceContext, period: ReportPeriod) -> WorkspaceReport:
    """Loads the data of the reports page."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        counts = counters.list_daily_counts(s, period.previous_start_date, period.end_date)
        versions = registry.list_versions(s)
        receipt_rows = list(receipts.iter_latest_receipts(s, limit=_MAX_RECEIPTS))
        live_items, _total = catalog.count_items(s)
        min_count = tenant_state.get_state(s).privacy.report_min_count
    return WorkspaceReport(
        period=period,
        counts=counts,
        versions=versions,
        coverage=_compute_coverage(receipt_rows, live_items),
        min_count=min_count,
    )


def _compute_coverage(receipt_rows: Sequence[Mapping[str, Any]], live_items: int) -> CatalogueCoverage:
    item_numbers: set[int] = set()
    n_requests = 0
    for receipt in receipt_rows:
        # Requests of the portal's own pages do not count.
        if receipt["scenario"].startswith(statistics.PORTAL_SCENARIO_PREFIX):
            continue
        n_requests += 1
        item_numbers.update(receipt["items"])
    return CatalogueCoverage(
        recommended_items=len(item_numbers), live_items=live_items, n_requests=n_requests
    )
