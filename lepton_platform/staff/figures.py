"""Counts of tenants, jobs and events over the served regions. Staff see numbers only, no content of a tenant."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

import structlog
from django.conf import settings
from django.db import connections
from django.utils import timezone

from tenants import regions
from tenants.control import queries
from tenants.control.read_models import TenantView
from tenants.data.queries import counters, jobs
from tenants.errors import DomainError
from tenants.scope import Actor, control_ops, data_ops, scope

log = structlog.get_logger(__name__)

CHART_DAYS = 14
# The dashboard may be reloaded often; counting reads one table of every tenant.
_CACHE_SECONDS = 60.0
_SYSTEM = Actor("system", "staff-dashboard")
_lock = threading.Lock()
_cached_events: tuple[float, Counter[date]] | None = None


@dataclass(frozen=True, slots=True)
class RegionStatistics:
    """Counts of a region.

    `is_available` is false if the region's database is unreachable or not served by this installation. The job counts
    are 0 then.
    """

    code: str
    name_en: str
    name_zh: str
    tenants: int
    queued: int
    running: int
    failed: int
    is_available: bool
    is_served: bool


def list_tenants(actor: Actor) -> list[TenantView]:
    """Returns all tenants. The access is recorded in the audit log."""
    with control_ops("staff", actor=actor, reason="tenants for a staff page") as s:
        return queries.list_tenants(s)


def load_region_statistics(actor: Actor, tenants: list[TenantView]) -> list[RegionStatistics]:
    """Returns one row for each configured region, in the order of the settings."""
    n_tenants = Counter(tenant.region for tenant in tenants if tenant.status == "active")
    return [_load_region(actor, code, n_tenants[code]) for code in settings.LEPTON_REGIONS]


def count_events_by_day(tenants: list[TenantView]) -> Counter[date]:
    """Counts the events of the last 14 days over the active tenants of the served regions. Cached for one minute.

    Row-level security allows reading the counters of one tenant at a time, so the cost grows with the number of tenants.
    """
    global _cached_events
    # One thread counts at a time; the others wait for its result instead of repeating the queries.
    with _lock:
        if _cached_events is None or time.monotonic() - _cached_events[0] > _CACHE_SECONDS:
            _cached_events = (time.monotonic(), _count_events(tenants))
        return _cached_events[1]


def get_utc_date() -> date:
    """Returns today's date in UTC, which the counters use."""
    return timezone.now().date()


def is_database_available(alias: str) -> bool:
    """Returns whether the database answers a query; logs the error if not."""
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    # Drivers raise different errors for a refused connection, a timeout and a full pool.
    except Exception as error:
        log.warning("database_unreachable", database=alias, reason=type(error).__name__)
        return False
    return True


def _load_region(actor: Actor, code: str, tenants: int) -> RegionStatistics:
    region = settings.LEPTON_REGIONS[code]
    is_served = code in regions.list_served()
    jobs_by_state = _count_jobs_by_state(actor, code) if is_served else None
    counts = jobs_by_state or {}
    return RegionStatistics(
        code=code,
        name_en=region.name_en,
        name_zh=region.name_zh,
        tenants=tenants,
        queued=counts.get("queued", 0),
        running=counts.get("running", 0),
        failed=counts.get("failed", 0),
        is_available=jobs_by_state is not None,
        is_served=is_served,
    )


def _count_jobs_by_state(actor: Actor, region: str) -> dict[str, int] | None:
    try:
        with data_ops(region, "staff", actor=actor, reason="job counts for the dashboard") as s:
            return jobs.count_by_state(s)
    except DomainError as error:
        log.warning("region_unreachable", region=region, reason=error.code)
        return None


def _count_events(tenants: list[TenantView]) -> Counter[date]:
    by_day: Counter[date] = Counter()
    today = get_utc_date()
    for tenant in tenants:
        if tenant.status == "active" and tenant.region in regions.list_served():
            by_day.update(_count_tenant_events(tenant, today))
    return by_day


def _count_tenant_events(tenant: TenantView, last_day: date) -> Counter[date]:
    by_day: Counter[date] = Counter()
    first_day = last_day - timedelta(days=CHART_DAYS - 1)
    try:
        with scope(tenant.ref, actor=_SYSTEM) as s:
            for row in counters.list_daily_counts(s, first_day, last_day):
                if row.metric == "events":
                    by_day[row.day] += row.count
    # An unreachable region must not hide the events of the others.
    except DomainError as error:
        log.warning("events_not_counted", tenant=str(tenant.id), reason=error.code)
    return by_day
