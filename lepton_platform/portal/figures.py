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

from lepton_platform.portal.templatetags.portal import compact, percent
from tenants.data.queries.counters import DailyCount

PERIODS = (7, 30, 90)
TRIED_HERE = "portal."
"""Scenarios with this beginning are questions asked on the portal's own pages: they count in no figure."""


@dataclass(frozen=True, slots=True)
class Period:
    days: int

    @classmethod
    def of(cls, text: str) -> Period:
        """The default for anything that is not one of the offered lengths."""
        return cls(int(text)) if text in {str(days) for days in PERIODS} else cls(30)

    @property
    def until(self) -> date:
        return datetime.now(UTC).date()

    @property
    def since(self) -> date:
        return self.until - timedelta(days=self.days - 1)

    @property
    def before(self) -> date:
        """The first day of the equally long period before this one."""
        return self.since - timedelta(days=self.days)

    def dates(self) -> list[date]:
        return [self.since + timedelta(days=n) for n in range(self.days)]


@dataclass(frozen=True, slots=True)
class Stat:
    label: str
    value: str
    series: Sequence[float]
    delta: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """One count for each day of a period, and the total of the period before."""

    values: list[int]
    earlier: int

    @property
    def total(self) -> int:
        return sum(self.values)


def masked(values: Sequence[int], least: int) -> list[int | None]:
    """Without the counts from 1 to below `least`: a report shows no small groups."""
    return [value if value == 0 or value >= least else None for value in values]


def course(counts: Iterable[DailyCount], period: Period, wanted: Callable[[DailyCount], bool]) -> Course:
    by_day: dict[date, int] = defaultdict(int)
    for count in counts:
        if wanted(count) and not count.scenario.startswith(TRIED_HERE):
            by_day[count.day] += count.count
    earlier = sum(n for day, n in by_day.items() if period.before <= day < period.since)
    return Course([by_day[day] for day in period.dates()], earlier)


def requests(counts: Sequence[DailyCount], period: Period) -> Course:
    return course(counts, period, lambda count: count.metric == "requests")


def served(counts: Sequence[DailyCount], period: Period) -> Course:
    return course(counts, period, lambda count: count.metric == "served")


def clicks(counts: Sequence[DailyCount], period: Period) -> Course:
    """Clicks that name the recommendation they followed."""
    return course(counts, period, lambda count: count.metric == "attributed" and count.kind == "click")


def events(counts: Sequence[DailyCount], period: Period) -> Course:
    return course(counts, period, lambda count: count.metric == "events")


def rate(part: Sequence[int | None], whole: Sequence[int]) -> list[float | None]:
    """None where the part is not shown or the whole is nothing."""
    return [a / b if b and a is not None else None for a, b in zip(part, whole, strict=True)]


def count_stat(label: str, found: Course) -> Stat:
    delta, tone = "", ""
    if found.earlier:
        change = found.total / found.earlier - 1
        delta, tone = f"{change * 100:+.1f}%", "good" if change >= 0 else "bad"
    return Stat(label, compact(found.total), found.values, delta, tone)


def rate_stat(label: str, part: Course, whole: Course) -> Stat:
    now = part.total / whole.total if whole.total else None
    before = part.earlier / whole.earlier if whole.earlier else None
    delta, tone = "", ""
    if now is not None and before is not None:
        change = round((now - before) * 100, 1) + 0.0
        delta = _("%(change)s pt") % {"change": f"{change:+.1f}"}
        tone = "good" if change > 0 else "bad" if change < 0 else ""
    return Stat(
        label, percent(now, 2), [value or 0.0 for value in rate(part.values, whole.values)], delta, tone
    )


def day_labels(period: Period) -> list[str]:
    return [short_day(day) for day in period.dates()]


def short_day(day: date) -> str:
    return date_format(day, pgettext("format of a day without its year", "j M"))


def line(name: str, values: Sequence[float | None], **look: bool) -> dict[str, Any]:
    return {"name": name, "values": list(values), **look}


def kinds(counts: Sequence[DailyCount], period: Period, most: int = 7) -> list[tuple[str, Course]]:
    """Event kinds by volume; the tail beyond `most` is one line."""
    names = {count.kind for count in counts if count.metric == "events"}
    courses = [(name, _kind(counts, period, {name})) for name in names]
    courses = sorted((one for one in courses if one[1].total), key=lambda one: (-one[1].total, one[0]))
    tail = {name for name, _course in courses[most:]}
    return courses[:most] + ([(_("others"), _kind(counts, period, tail))] if tail else [])


def _kind(counts: Sequence[DailyCount], period: Period, names: set[str]) -> Course:
    return course(counts, period, lambda count: count.metric == "events" and count.kind in names)
