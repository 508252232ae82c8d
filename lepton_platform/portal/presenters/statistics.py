"""Statistics and charts from daily counts. Days are UTC; a day without a count is zero."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from lepton_platform.portal.templatetags.portal import format_compact, format_percent
from tenants.data.queries.counters import DailyCount

PERIOD_DAYS = (7, 30, 90)
DEFAULT_DAYS = 30
# Scenarios with this prefix are requests of the portal's own pages. No statistic counts them.
PORTAL_SCENARIO_PREFIX = "portal."


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """The last `days` days including today."""

    days: int

    @classmethod
    def from_query(cls, text: str) -> ReportPeriod:
        """Parses the query parameter `days`. Any other text than one of `PERIOD_DAYS` gives the default."""
        if text in {str(days) for days in PERIOD_DAYS}:
            return cls(int(text))
        return cls(DEFAULT_DAYS)

    @property
    def end_date(self) -> date:
        return datetime.now(UTC).date()

    @property
    def start_date(self) -> date:
        return self.end_date - timedelta(days=self.days - 1)

    @property
    def previous_start_date(self) -> date:
        """The first day of the previous period of the same length."""
        return self.start_date - timedelta(days=self.days)

    def list_dates(self) -> list[date]:
        """Returns the days in ascending order."""
        return [self.start_date + timedelta(days=n) for n in range(self.days)]


@dataclass(frozen=True, slots=True)
class Stat:
    """A figure with its label, its sparkline and its change against the previous period.

    `tone` is "good", "bad" or empty.
    """

    label: str
    value: str
    series: Sequence[float]
    delta: str = ""
    tone: str = ""

    @property
    def tone_class(self) -> str:
        """CSS class of the change."""
        return {"good": "text-success", "bad": "text-warning"}.get(self.tone, "text-muted-foreground")


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One count for each day of a period, and the total of the previous period."""

    values: list[int]
    previous_total: int

    @property
    def total(self) -> int:
        return sum(self.values)


def suppress_small_counts(values: Sequence[int], min_count: int) -> list[int | None]:
    """Replaces counts from 1 to below `min_count` by None, so that a report does not show small groups."""
    return [value if value == 0 or value >= min_count else None for value in values]


def count_by_day(
    counts: Iterable[DailyCount], period: ReportPeriod, predicate: Callable[[DailyCount], bool]
) -> TimeSeries:
    """Sums the counts that meet `predicate` by day. `counts` cover the period and the previous one."""
    by_day: dict[date, int] = defaultdict(int)
    for count in counts:
        if predicate(count) and not count.scenario.startswith(PORTAL_SCENARIO_PREFIX):
            by_day[count.day] += count.count
    previous_total = 0
    for day, total in by_day.items():
        if period.previous_start_date <= day < period.start_date:
            previous_total += total
    return TimeSeries(values=[by_day[day] for day in period.list_dates()], previous_total=previous_total)


def count_requests(counts: Sequence[DailyCount], period: ReportPeriod) -> TimeSeries:
    """Counts recommendation requests."""
    return count_by_day(counts, period, lambda count: count.metric == "requests")


def count_served_items(counts: Sequence[DailyCount], period: ReportPeriod) -> TimeSeries:
    """Counts recommended items."""
    return count_by_day(counts, period, lambda count: count.metric == "served")


def count_clicks(counts: Sequence[DailyCount], period: ReportPeriod) -> TimeSeries:
    """Counts clicks whose event names the recommendation."""
    return count_by_day(counts, period, lambda count: count.metric == "attributed" and count.kind == "click")


def count_events(counts: Sequence[DailyCount], period: ReportPeriod) -> TimeSeries:
    """Counts events of all kinds."""
    return count_by_day(counts, period, lambda count: count.metric == "events")


def compute_rates(numerators: Sequence[int | None], denominators: Sequence[int]) -> list[float | None]:
    """Divides pairwise. The result is None if the numerator was suppressed or the denominator is zero."""
    rates: list[float | None] = []
    for numerator, denominator in zip(numerators, denominators, strict=True):
        if numerator is None or denominator == 0:
            rates.append(None)
        else:
            rates.append(numerator / denominator)
    return rates


def build_count_stat(label: str, series: TimeSeries) -> Stat:
    """Returns a total with its relative change; without one if the previous total is zero."""
    value = format_compact(series.total)
    if not series.previous_total:
        return Stat(label, value, series.values)
    change = series.total / series.previous_total - 1
    tone = "good" if change >= 0 else "bad"
    return Stat(label, value, series.values, delta=f"{change * 100:+.1f}%", tone=tone)


def build_rate_stat(label: str, numerator: TimeSeries, denominator: TimeSeries) -> Stat:
    """Returns a rate with its change in percentage points; without one if either period has no rate."""
    (current,) = compute_rates([numerator.total], [denominator.total])
    (previous,) = compute_rates([numerator.previous_total], [denominator.previous_total])
    daily_rates = [rate or 0.0 for rate in compute_rates(numerator.values, denominator.values)]
    # Click rates are often below 1 %, so two decimals are shown.
    value = format_percent(current, 2)
    if current is None or previous is None:
        return Stat(label, value, daily_rates)
    # Adding zero turns -0.0 into 0.0, which is formatted as "+0.0".
    change = round((current - previous) * 100, 1) + 0.0
    tone = ""
    if change:
        tone = "good" if change > 0 else "bad"
    delta = _("%(change)s pt") % {"change": f"{change:+.1f}"}
    return Stat(label, value, daily_rates, delta=delta, tone=tone)


def format_day_labels(period: ReportPeriod) -> list[str]:
    """Returns the labels of a chart's days."""
    return [format_short_day(day) for day in period.list_dates()]


def format_short_day(day: date) -> str:
    """Formats a date without its year."""
    return date_format(day, pgettext("format of a day without its year", "j M"))


def build_chart_line(name: str, values: Sequence[float | None], **style: bool) -> dict[str, Any]:
    """Returns a series as charts.js reads it; `style` is `filled` or `dashed`."""
    return {"name": name, "values": list(values), **style}


def count_events_by_kind(
    counts: Sequence[DailyCount], period: ReportPeriod, max_kinds: int = 7
) -> list[tuple[str, TimeSeries]]:
    """Counts events by kind, the most frequent first. Kinds beyond `max_kinds` are summed up as "others"."""
    by_kind = []
    for kind in {count.kind for count in counts if count.metric == "events"}:
        series = _count_kinds(counts, period, {kind})
        if series.total:
            by_kind.append((kind, series))
    # The name breaks ties, so that the order does not depend on the order of a set.
    by_kind.sort(key=lambda row: (-row[1].total, row[0]))
    other_kinds = {kind for kind, _series in by_kind[max_kinds:]}
    by_kind = by_kind[:max_kinds]
    if other_kinds:
        by_kind.append((_("others"), _count_kinds(counts, period, other_kinds)))
    return by_kind


def _count_kinds(counts: Sequence[DailyCount], period: ReportPeriod, kinds: set[str]) -> TimeSeries:
    return count_by_day(counts, period, lambda count: count.metric == "events" and count.kind in kinds)
