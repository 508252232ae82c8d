"""Figures and charts from daily counts. Days are UTC; a day without a count is zero."""

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
PORTAL_SCENARIO_PREFIX = "portal."
"""Scenarios with this beginning are questions asked on the portal's own pages: they count in no figure."""


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    days: int

    @classmethod
    def from_query(cls, text: str) -> ReportPeriod:
        """The default for anything that is not one of the offered lengths."""
        return cls(int(text)) if text in {str(days) for days in PERIOD_DAYS} else cls(30)

    @property
    def end_date(self) -> date:
        return datetime.now(UTC).date()

    @property
    def start_date(self) -> date:
        return self.end_date - timedelta(days=self.days - 1)

    @property
    def previous_start_date(self) -> date:
        """The first day of the equally long period before this one."""
        return self.start_date - timedelta(days=self.days)

    def list_dates(self) -> list[date]:
        return [self.start_date + timedelta(days=n) for n in range(self.days)]


@dataclass(frozen=True, slots=True)
class Stat:
    label: str
    value: str
    series: Sequence[float]
    delta: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One count for each day of a period, and the total of the period before."""

    values: list[int]
    previous_total: int

    @property
    def total(self) -> int:
        return sum(self.values)


def suppress_small_counts(values: Sequence[int], min_count: int) -> list[int | None]:
    """Without the counts from 1 to below `least`: a report shows no small groups."""
    return [value if value == 0 or value >= min_count else None for value in values]


def count_by_day(
    counts: Iterable[DailyCount], period: ReportPeriod, predicate: Callable[[DailyCount], bool]
) -> TimeSeries:
    by_day: dict[date, int] = defaultdict(int)
    for count in counts:
        if predicate(count) and not count.scenario.startswith(PORTAL_SCENARIO_PREFIX):
            by_day[count.day] += count.count
    earlier = sum(n for day, n in by_day.items() if period.previous_start_date <= day < period.start_date)
    return TimeSeries([by_day[day] for day in period.list_dates()], earlier)


def count_requests(counts: Sequence[DailyCount], period: ReportPeriod) -> TimeSeries:
    return count_by_day(counts, period, lambda count: count.metric == "requests")


def count_served_items(counts: Sequence[DailyCount], period: ReportPeriod) -> TimeSeries:
    return count_by_day(counts, period, lambda count: count.metric == "served")


def count_clicks(counts: Sequence[DailyCount], period: ReportPeriod) -> TimeSeries:
    """Clicks that name the recommendation they followed."""
    return count_by_day(counts, period, lambda count: count.metric == "attributed" and count.kind == "click")


def count_events(counts: Sequence[DailyCount], period: ReportPeriod) -> TimeSeries:
    return count_by_day(counts, period, lambda count: count.metric == "events")


def compute_rates(numerators: Sequence[int | None], denominators: Sequence[int]) -> list[float | None]:
    """None where the part is not shown or the whole is nothing."""
    return [a / b if b and a is not None else None for a, b in zip(numerators, denominators, strict=True)]


def build_count_stat(label: str, series: TimeSeries) -> Stat:
    delta, tone = "", ""
    if series.previous_total:
        change = series.total / series.previous_total - 1
        delta, tone = f"{change * 100:+.1f}%", "good" if change >= 0 else "bad"
    return Stat(label, format_compact(series.total), series.values, delta, tone)


def build_rate_stat(label: str, numerator: TimeSeries, denominator: TimeSeries) -> Stat:
    now = numerator.total / denominator.total if denominator.total else None
    before = numerator.previous_total / denominator.previous_total if denominator.previous_total else None
    delta, tone = "", ""
    if now is not None and before is not None:
        change = round((now - before) * 100, 1) + 0.0
        delta = _("%(change)s pt") % {"change": f"{change:+.1f}"}
        tone = "good" if change > 0 else "bad" if change < 0 else ""
    return Stat(
        label,
        format_percent(now, 2),
        [value or 0.0 for value in compute_rates(numerator.values, denominator.values)],
        delta,
        tone,
    )


def format_day_labels(period: ReportPeriod) -> list[str]:
    return [format_short_day(day) for day in period.list_dates()]


def format_short_day(day: date) -> str:
    return date_format(day, pgettext("format of a day without its year", "j M"))


def build_chart_line(name: str, values: Sequence[float | None], **style: bool) -> dict[str, Any]:
    return {"name": name, "values": list(values), **style}


def count_events_by_kind(
    counts: Sequence[DailyCount], period: ReportPeriod, max_kinds: int = 7
) -> list[tuple[str, TimeSeries]]:
    """Event kinds by volume; the tail beyond `most` is one line."""
    names = {count.kind for count in counts if count.metric == "events"}
    courses = [(name, _count_kinds(counts, period, {name})) for name in names]
    courses = sorted((one for one in courses if one[1].total), key=lambda one: (-one[1].total, one[0]))
    tail = {name for name, _course in courses[max_kinds:]}
    return courses[:max_kinds] + ([(_("others"), _count_kinds(counts, period, tail))] if tail else [])


def _count_kinds(counts: Sequence[DailyCount], period: ReportPeriod, names: set[str]) -> TimeSeries:
    return count_by_day(counts, period, lambda count: count.metric == "events" and count.kind in names)
