"""The metrics that `/metrics` exports to Prometheus: databases, jobs, and quality and drift of the active models."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import structlog
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lepton_platform.health import find_unavailable_databases, list_required_aliases
from recommender.registry import queries
from recommender.registry.types import VersionView
from tenants.control.queries import list_tenants
from tenants.control.read_models import TenantView
from tenants.data.queries import jobs
from tenants.errors import DomainError
from tenants.regions import TenantRef, list_served
from tenants.scope import Actor, control_ops, data_ops, scope

log = structlog.get_logger(__name__)

_ACTOR = Actor("system", "metrics")
_CACHE_SECONDS = 60.0
_lock = threading.Lock()
_cached_metrics: tuple[float, bytes] | None = None


def export_metrics() -> bytes:
    """All metrics in Prometheus' text format, at most one minute old.

    The lock lets one thread collect while concurrent requests wait for its result.
    """
    global _cached_metrics
    with _lock:
        if _cached_metrics is None or time.monotonic() - _cached_metrics[0] > _CACHE_SECONDS:
            registry = CollectorRegistry()
            registry.register(_LeptonCollector())
            _cached_metrics = (time.monotonic(), generate_latest(registry))
        return _cached_metrics[1]


class _LeptonCollector(Collector):
    """Collects the metrics of the served regions. Cost is linear in tenants: each is read in its own scope."""

    def collect(self) -> Iterator[Metric]:
        ready = GaugeMetricFamily("lepton_database_ready", "Whether a database answers.", labels=["database"])
        unavailable = find_unavailable_databases()
        for alias in list_required_aliases():
            ready.add_metric([alias], float(alias not in unavailable))
        yield ready
        # Without every database the other metrics would fail; Prometheus then shows them as absent.
        if unavailable:
            return
        yield _count_jobs()
        yield from _collect_model_metrics()


def _count_jobs() -> Metric:
    jobs_by_state = GaugeMetricFamily("lepton_jobs", "Jobs by state.", labels=["region", "state"])
    for region in list_served():
        with data_ops(region, "staff", actor=_ACTOR, reason="job counts for metrics") as s:
            counts = jobs.count_by_state(s)
        for state, count in counts.items():
            jobs_by_state.add_metric([region, state], float(count))
    return jobs_by_state


def _collect_model_metrics() -> Iterator[Metric]:
    gauges = _ModelGauges()
    # A list, so that no control scope is open while tenants' scopes are.
    for tenant in _list_active_tenants():
        version = _load_active_version(tenant.ref)
        if version is not None:
            gauges.add_version([tenant.slug, tenant.region], version)
    yield from (gauges.ndcg, gauges.drift, gauges.drift_alarm, gauges.follow_rate)


class _ModelGauges:
    """One sample a tenant with an active model, and in `drift` and `follow_rate` one for each measure."""

    def __init__(self) -> None:
        labels = ["tenant", "region"]
        self.ndcg = GaugeMetricFamily(
            "lepton_model_ndcg", "nDCG@10 of the active model on held-out events.", labels=labels
        )
        self.drift = GaugeMetricFamily(
            "lepton_model_drift",
            "Population stability index, or relative change of coverage.",
            labels=[*labels, "measure"],
        )
        self.drift_alarm = GaugeMetricFamily(
            "lepton_model_drift_alarm", "1 where a measure has drifted.", labels=labels
        )
        self.follow_rate = GaugeMetricFamily(
            "lepton_model_follow_rate",
            "Fraction of recommendations that the outcome followed.",
            labels=[*labels, "outcome", "version"],
        )

    def add_version(self, labels: list[str], version: VersionView) -> None:
        for measure, shift in version.drift.get("shifts", {}).items():
            # Too few events leave a measure without a value: no sample, instead of a false zero.
            if shift["value"] is not None:
                self.drift.add_metric([*labels, measure], float(shift["value"]))
        self.drift_alarm.add_metric(labels, float(version.drift.get("level") == "drifted"))
        for outcome, (active_rate, previous_rate) in version.live.get("rates", {}).items():
            self.follow_rate.add_metric([*labels, outcome, "active"], float(active_rate))
            self.follow_rate.add_metric([*labels, outcome, "previous"], float(previous_rate))
        ndcg = version.metrics.get("candidate", {}).get("ndcg@10")
        if ndcg is not None:
            self.ndcg.add_metric(labels, float(ndcg))


def _list_active_tenants() -> list[TenantView]:
    served = list_served()
    with control_ops("upkeep", actor=_ACTOR, reason="tenants for metrics") as s:
        return [tenant for tenant in list_tenants(s) if tenant.status == "active" and tenant.region in served]


def _load_active_version(tenant: TenantRef) -> VersionView | None:
    """None without an active version, and for a tenant whose scope can't be opened (e.g. its key is destroyed)."""
    try:
        with scope(tenant, actor=_ACTOR) as s:
            return queries.get_active_version(s)
    except DomainError as error:
        log.warning("model_not_read", tenant=str(tenant.id), reason=error.code)
        return None
