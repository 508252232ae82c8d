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
from tenants.control.results import TenantView
from tenants.data.queries import counters, jobs
from tenants.errors import DomainError
from tenants.scope import Actor, control_ops, data_ops, scope

log = structlog.get_logger(__name__)

DAYS = 14
_KEPT_SECONDS = 60.0
_SYSTEM = Actor("system", "staff-dashboard")
_lock = threading.Lock()
_events: tuple[float, Counter[date]] | None = None


@dataclass(frozen=True, slots=True)
class RegionFigures:
    """`answers` is False when the region's database did not answer or is not `served` here; its jobs count 0."""

    code: str
    name_en: str
    name_zh: str
    tenants: int
    queued: int
    running: int
    failed: int
    answers: bool
    served: bool


def directory(actor: Actor) -> list[TenantView]:
    with control_ops("staff", actor=actor, reason="tenants for a staff page") as s:
        return queries.tenant_directory(s)


def region_figures(actor: Actor, tenants: list[TenantView]) -> list[RegionFigures]:
    """One row for each configured region, in the order of the settings."""
    inhabitants = Counter(tenant.region for tenant in tenants if tenant.status == "active")
    return [_region(actor, code, inhabitants[code]) for code in settings.LEPTON_REGIONS]


def events_by_day(tenants: list[TenantView]) -> Counter[date]:
    """Events of the last 14 days over the active tenants of the served regions, at most a minute old.

    Counters belong to their tenants, so each is asked in its own scope: the cost grows with the tenants.
    """
    global _events
    with _lock:
        if _events is None or time.monotonic() - _events[0] > _KEPT_SECONDS:
            _events = (time.monotonic(), _count_events(tenants))
        return _events[1]


def today() -> date:
    """Counters are kept by UTC day."""
    return timezone.now().date()


def database_answers(alias: str) -> bool:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:
        log.warning("database_does_not_answer", database=alias, reason=type(error).__name__)
        return False
    return True


def _region(actor: Actor, code: str, tenants: int) -> RegionFigures:
    region = settings.LEPTON_REGIONS[code]
    states = _job_states(actor, code) if code in regions.served() else None
    counted = states or {}
    return RegionFigures(
        code=code,
        name_en=region.name_en,
        name_zh=region.name_zh,
        tenants=tenants,
        queued=counted.get("queued", 0),
        running=counted.get("running", 0),
        failed=counted.get("failed", 0),
        answers=states is not None,
        served=code in regions.served(),
    )


def _job_states(actor: Actor, region: str) -> dict[str, int] | None:
    try:
        with data_ops(region, "staff", actor=actor, reason="job counts for the dashboard") as s:
            return jobs.states(s)
    except DomainError as error:
        log.warning("region_does_not_answer", region=region, reason=error.code)
        return None


def _count_events(tenants: list[TenantView]) -> Counter[date]:
    counted: Counter[date] = Counter()
    until = today()
    for tenant in tenants:
        if tenant.status == "active" and tenant.region in regions.served():
            counted.update(_events_of(tenant, until))
    return counted


def _events_of(tenant: TenantView, until: date) -> Counter[date]:
    counted: Counter[date] = Counter()
    try:
        with scope(tenant.ref, actor=_SYSTEM) as s:
            for row in counters.daily(s, until - timedelta(days=DAYS - 1), until):
                counted[row.day] += row.count if row.metric == "events" else 0
    except DomainError as error:
        log.warning("events_not_counted", tenant=str(tenant.id), reason=error.code)
    return counted
