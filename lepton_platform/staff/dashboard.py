from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext

from lepton_platform.staff.figures import (
    CHART_DAYS,
    RegionStatistics,
    count_events_by_day,
    get_utc_date,
    list_tenants,
    load_region_statistics,
)
from tenants.scope import Actor


@dataclass(frozen=True, slots=True)
class RegionRow:
    statistics: RegionStatistics
    name: str
    tenant_percent: int
    """Per cent of all active tenants."""


@dataclass(frozen=True, slots=True)
class StaffDashboard:
    active_tenants: int
    suspended_tenants: int
    events_today: int
    queued: int
    running: int
    failed: int
    regions: list[RegionRow]
    events_chart: str
    """Data of a Chart.js bar chart, as JSON."""


def build_dashboard(actor: Actor) -> StaffDashboard:
    tenants = list_tenants(actor)
    regions = load_region_statistics(actor, tenants)
    events = count_events_by_day(tenants)
    days = [get_utc_date() - timedelta(days=back) for back in reversed(range(CHART_DAYS))]
    day_format = pgettext("date format of a day without year", "j M")
    active = sum(tenant.status == "active" for tenant in tenants)
    return StaffDashboard(
        active_tenants=active,
        suspended_tenants=sum(tenant.status == "suspended" for tenant in tenants),
        events_today=events[get_utc_date()],
        queued=sum(region.queued for region in regions),
        running=sum(region.running for region in regions),
        failed=sum(region.failed for region in regions),
        regions=[_build_region_row(region, active) for region in regions],
        events_chart=_build_bar_chart(
            [date_format(day, day_format) for day in days], [events[day] for day in days]
        ),
    )


def _build_region_row(region: RegionStatistics, active: int) -> RegionRow:
    name = region.name_zh if (get_language() or "").startswith("zh") else region.name_en
    return RegionRow(region, name, round(100 * region.tenants / active) if active else 0)


def _build_bar_chart(labels: list[str], values: list[int]) -> str:
    series = {"data": values, "backgroundColor": "var(--color-primary-500)", "displayYAxis": True}
    return json.dumps({"labels": labels, "datasets": [series]})
