"""Counts over the served regions. Staff see how much there is, never what it is."""

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
_CACHE_SECONDS = 60.0
_SYSTEM = Actor("system", "staff-dashboard")
_lock = threading.Lock()
_cached_events: tuple[float, Counter[date]] | None = None


@dataclass(frozen=True, slots=True)
class RegionStatistics:
    """`answers` is False when the region's database did not answer or is not `served` here; its jobs count 0."""

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
    with control_ops("staff", actor=actor, reason="tenants for a staff page") as s:
        return queries.list_tenants(s)


def load_region_statistics(actor: Actor, tenants: list[TenantView]) -> list[RegionStatistics]:
    """One row for each configured region, in the order of the settings."""
    inhabitants = Counter(tenant.region for tenant in tenants if tenant.status == "active")
    return [_load_region(actor, code, inhabitants[code]) for code in settings.LEPTON_REGIONS]


def count_events_by_day(tenants: list[TenantView]) -> Counter[date]:
    """Events of the last 14 days over the active tenants of the served regions, at most a minute old.

    Counters belong to their tenants, so each is asked in its own scope: the cost grows with the tenants.
    """
    global _cached_events
    with _lock:
        if _cached_events is None or time.monotonic() - _cached_events[0] > _CACHE_SECONDS:
            _cached_events = (time.monotonic(), _count_events(tenants))
        return _cached_events[1]


def get_utc_date() -> date:
    """Counters are kept by UTC day."""
    return timezone.now().date()


def is_database_available(alias: str) -> bool:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:
        log.warning("database_does_not_answer", database=alias, reason=type(error).__name__)
        return False
    return True


def _load_region(actor: Actor, code: str, tenants: int) -> RegionStatistics:
    region = settings.LEPTON_REGIONS[code]
    states = _count_jobs_by_state(actor, code) if code in regions.list_served() else None
    counted = states or {}
    return RegionStatistics(
        code=code,
        name_en=region.name_en,
        name_zh=region.name_zh,
        tenants=tenants,
        queued=counted.get("queued", 0),
        running=counted.get("running", 0),
        failed=counted.get("failed", 0),
        is_available=states is not None,
        is_served=code in regions.list_served(),
    )


def _count_jobs_by_state(actor: Actor, region: str) -> dict[str, int] | None:
    try:
        with data_ops(region, "staff", actor=actor, reason="job counts for the dashboard") as s:
            return jobs.count_by_state(s)
    except DomainError as error:
        log.warning("region_does_not_answer", region=region, reason=error.code)
        return None


def _count_events(tenants: list[TenantView]) -> Counter[date]:
    counted: Counter[date] = Counter()
    until = get_utc_date()
    for tenant in tenants:
        if tenant.status == "active" and tenant.region in regions.list_served():
            counted.update(_count_tenant_events(tenant, until))
    return counted


def _count_tenant_events(tenant: TenantView, last_day: date) -> Counter[date]:
    counted: Counter[date] = Counter()
    try:
        with scope(tenant.ref, actor=_SYSTEM) as s:
            for row in counters.list_daily_counts(s, last_day - timedelta(days=CHART_DAYS - 1), last_day):
                counted[row.day] += row.count if row.metric == "events" else 0
    except DomainError as error:
        log.warning("events_not_counted", tenant=str(tenant.id), reason=error.code)
    return counted
