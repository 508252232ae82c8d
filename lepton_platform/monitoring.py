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
from tenants.control.queries import tenant_directory
from tenants.data.queries import jobs
from tenants.errors import DomainError
from tenants.regions import CONTROL, TenantRef, served
from tenants.scope import Actor, control_ops, data_ops, scope

log = structlog.get_logger(__name__)

_ACTOR = Actor("system", "metrics")
_KEPT_SECONDS = 60.0
_lock = threading.Lock()
_kept: tuple[float, bytes] | None = None


def needed_aliases() -> tuple[str, ...]:
    """The control plane, and data and keys of each served region."""
    return (CONTROL, *(f"{plane}_{region}" for region in served() for plane in ("data", "keys")))


def unready() -> list[str]:
    """Aliases of the databases that do not answer."""
    return [alias for alias in needed_aliases() if not _answers(alias)]


def _answers(alias: str) -> bool:
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


def metrics() -> bytes:
    """What Prometheus reads: databases, jobs, and how the model in service of each tenant does; at most a minute old."""
    global _kept
    with _lock:
        if _kept is None or time.monotonic() - _kept[0] > _KEPT_SECONDS:
            registry = CollectorRegistry()
            registry.register(_Figures())
            _kept = (time.monotonic(), generate_latest(registry))
        return _kept[1]


class _Figures(Collector):
    """One pass over the served regions; the cost grows with the tenants, for each is read in its own scope."""

    def collect(self) -> Iterator[Metric]:
        ready = GaugeMetricFamily("lepton_database_ready", "Whether a database answers.", labels=["database"])
        missing = unready()
        for alias in needed_aliases():
            ready.add_metric([alias], float(alias not in missing))
        yield ready
        if missing:
            return
        jobs_open = GaugeMetricFamily("lepton_jobs", "Jobs by state.", labels=["region", "state"])
        for region in served():
            with data_ops(region, "staff", actor=_ACTOR, reason="job counts for metrics") as s:
                for state, count in jobs.states(s).items():
                    jobs_open.add_metric([region, state], float(count))
        yield jobs_open
        yield from _models()


def _models() -> Iterator[Metric]:
    labels = ["tenant", "region"]
    quality = GaugeMetricFamily(
        "lepton_model_ndcg", "nDCG@10 of the model in service on hidden events.", labels=labels
    )
    shifted = GaugeMetricFamily(
        "lepton_model_drift", "Stability index, or relative change of coverage.", labels=[*labels, "measure"]
    )
    alarm = GaugeMetricFamily("lepton_model_drift_alarm", "1 where a measure has drifted.", labels=labels)
    rate = GaugeMetricFamily(
        "lepton_model_followed", "Share of answers followed by it.", labels=[*labels, "by", "version"]
    )
    with control_ops("upkeep", actor=_ACTOR, reason="tenants for metrics") as s:
        found = [view for view in tenant_directory(s) if view.status == "active" and view.region in served()]
    for view in found:
        names = [view.slug, view.region]
        version = _in_service(view.ref)
        if version is None:
            continue
        for name, one in version.drift.get("shifts", {}).items():
            if one["value"] is not None:
                shifted.add_metric([*names, name], float(one["value"]))
        alarm.add_metric(names, float(version.drift.get("level") == "drifted"))
        for name, pair in version.live.get("rates", {}).items():
            rate.add_metric([*names, name, "now"], float(pair[0]))
            rate.add_metric([*names, name, "before"], float(pair[1]))
        if (measured := version.metrics.get("served", {}).get("ndcg@10")) is not None:
            quality.add_metric(names, float(measured))
    yield from (quality, shifted, alarm, rate)


def _in_service(tenant: TenantRef) -> VersionView | None:
    try:
        with scope(tenant, actor=_ACTOR) as s:
            return queries.active(s)
    except DomainError as error:
        log.warning("model_not_read", tenant=str(tenant.id), reason=error.code)
        return None
