"""What this process needs to answer requests, and what it tells Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import structlog
from django.db import DatabaseError, connections
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from recommender.registry import queries
from recommender.registry.types import VersionView
from tenants.control.queries import list_tenants
from tenants.data.queries import jobs
from tenants.errors import DomainError
from tenants.regions import CONTROL, TenantRef, list_served
from tenants.scope import Actor, control_ops, data_ops, scope

log = structlog.get_logger(__name__)

_ACTOR = Actor("system", "metrics")
_CACHE_SECONDS = 60.0
_lock = threading.Lock()
_cached_metrics: tuple[float, bytes] | None = None


def list_required_aliases() -> tuple[str, ...]:
    """The control plane, and data and keys of each served region."""
    return (CONTROL, *(f"{plane}_{region}" for region in list_served() for plane in ("data", "keys")))


def find_unavailable_databases() -> list[str]:
    """Aliases of the databases that do not answer."""
    return [alias for alias in list_required_aliases() if not _is_available(alias)]


def _is_available(alias: str) -> bool:
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, psycopg.Error):
        return False
    finally:
        if not connection.in_atomic_block:
            connection.close()
    return True


def export_metrics() -> bytes:
    """What Prometheus reads: databases, jobs, and how the model in service of each tenant does; at most a minute old."""
    global _cached_metrics
    with _lock:
        if _cached_metrics is None or time.monotonic() - _cached_metrics[0] > _CACHE_SECONDS:
            registry = CollectorRegistry()
            registry.register(_LeptonCollector())
            _cached_metrics = (time.monotonic(), generate_latest(registry))
        return _cached_metrics[1]


class _LeptonCollector(Collector):
    """One pass over the served regions; the cost grows with the tenants, for each is read in its own scope."""

    def collect(self) -> Iterator[Metric]:
        ready = GaugeMetricFamily("lepton_database_ready", "Whether a database answers.", labels=["database"])
        missing = find_unavailable_databases()
        for alias in list_required_aliases():
            ready.add_metric([alias], float(alias not in missing))
        yield ready
        if missing:
            return
        jobs_open = GaugeMetricFamily("lepton_jobs", "Jobs by state.", labels=["region", "state"])
        for region in list_served():
            with data_ops(region, "staff", actor=_ACTOR, reason="job counts for metrics") as s:
                for state, count in jobs.count_by_state(s).items():
                    jobs_open.add_metric([region, state], float(count))
        yield jobs_open
        yield from _collect_model_metrics()


def _collect_model_metrics() -> Iterator[Metric]:
    labels = ["tenant", "region"]
    quality = GaugeMetricFamily(
        "lepton_model_ndcg", "nDCG@10 of the model in service on hidden events.", labels=labels
    )
    shifted = GaugeMetricFamily(
        "lepton_model_drift", "Stability index, or relative change of coverage.", labels=[*labels, "measure"]
    )
    alarm = GaugeMetricFamily("lepton_model_drift_alarm", "1 where a measure has drifted.", labels=labels)
    rate = GaugeMetricFamily(
        "lepton_model_follow_rate", "Share of answers followed by it.", labels=[*labels, "by", "version"]
    )
    with control_ops("upkeep", actor=_ACTOR, reason="tenants for metrics") as s:
        found = [view for view in list_tenants(s) if view.status == "active" and view.region in list_served()]
    for view in found:
        names = [view.slug, view.region]
        version = _load_active_version(view.ref)
        if version is None:
            continue
        for name, one in version.drift.get("shifts", {}).items():
            if one["value"] is not None:
                shifted.add_metric([*names, name], float(one["value"]))
        alarm.add_metric(names, float(version.drift.get("level") == "drifted"))
        for name, pair in version.live.get("rates", {}).items():
            rate.add_metric([*names, name, "now"], float(pair[0]))
            rate.add_metric([*names, name, "before"], float(pair[1]))
        if (measured := version.metrics.get("candidate", {}).get("ndcg@10")) is not None:
            quality.add_metric(names, float(measured))
    yield from (quality, shifted, alarm, rate)


def _load_active_version(tenant: TenantRef) -> VersionView | None:
    try:
        with scope(tenant, actor=_ACTOR) as s:
            return queries.get_active_version(s)
    except DomainError as error:
        log.warning("model_not_read", tenant=str(tenant.id), reason=error.code)
        return None
