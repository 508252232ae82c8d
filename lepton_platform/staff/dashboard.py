"""The dashboard of the staff pages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta

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
    """A region of the dashboard. `tenant_percent` is its percentage of all active tenants."""

    statistics: RegionStatistics
    name: str
    tenant_percent: int


@dataclass(frozen=True, slots=True)
class StaffDashboard:
    """The content of the dashboard. `events_chart` is the data of a Chart.js bar chart as JSON."""

    active_tenants: int
    suspended_tenants: int
    events_today: int
    queued: int
    running: int
    failed: int
    regions: list[RegionRow]
    events_chart: str


def build_dashboard(actor: Actor) -> StaffDashboard:
    """Loads the dashboard over all tenants and regions."""
    tenants = list_tenants(actor)
    regions = load_region_statistics(actor, tenants)
    events = count_events_by_day(tenants)
    today = get_utc_date()
    days = [today - timedelta(days=n) for n in reversed(range(CHART_DAYS))]
    n_active = sum(tenant.status == "active" for tenant in tenants)
    return StaffDashboard(
        active_tenants=n_active,
        suspended_tenants=sum(tenant.status == "suspended" for tenant in tenants),
        events_today=events[today],
        queued=sum(region.queued for region in regions),
        running=sum(region.running for region in regions),
        failed=sum(region.failed for region in regions),
        regions=[_build_region_row(region, n_active) for region in regions],
        events_chart=_build_bar_chart(days, [events[day] for day in days]),
    )


def _build_region_row(region: RegionStatistics, n_active: int) -> RegionRow:
    name = region.name_en
    if (get_language() or "").startswith("zh"):
        name = region.name_zh
    # Without an active tenant every region has 0 %.
    tenant_percent = round(100 * region.tenants / max(n_active, 1))
    return RegionRow(statistics=region, name=name, tenant_percent=tenant_percent)


def _build_bar_chart(days: list[date], values: list[int]) -> str:
    day_format = pgettext("date format of a day without year", "j M")
    labels = [date_format(day, day_format) for day in days]
    series = {"data": values, "backgroundColor": "var(--color-primary-500)", "displayYAxis": True}
    return json.dumps({"labels": labels, "datasets": [series]})
