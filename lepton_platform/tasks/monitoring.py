"""What is watched while a model serves. Each tenant by itself: what one of them lacks keeps no other from its watch."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from celery import shared_task

from lepton_platform.tasks.tenants import WORKER, iter_active_tenants
from recommender.monitoring import auto_rollback, drift
from recommender.types import DataError
from tenants.errors import DomainError, RegionNotServed
from tenants.regions import TenantRef

log = structlog.get_logger(__name__)


@shared_task(name="lepton.monitor")  # type: ignore[untyped-decorator]  # celery has no types
def watch_models(*, region: str) -> None:
    """Takes back what has dropped beyond chance since it began to serve."""
    _run_for_each_tenant(
        region,
        "watch of models in service",
        lambda tenant: auto_rollback.check_active_version(tenant, actor=WORKER),
    )


@shared_task(name="lepton.drift")  # type: ignore[untyped-decorator]  # celery has no types
def measure_drift(*, region: str) -> None:
    """Compares the latest days with what the model in service learned from."""
    _run_for_each_tenant(
        region, "drift of inputs and scores", lambda tenant: drift.measure_drift(tenant, actor=WORKER)
    )


def _run_for_each_tenant(region: str, reason: str, action: Callable[[TenantRef], object]) -> None:
    for tenant in iter_active_tenants(region, reason=reason):
        try:
            action(tenant)
        except RegionNotServed:
            raise  # The task came to the wrong worker: that is no tenant's lack.
        except (DomainError, DataError) as error:
            log.warning("watch_failed", tenant=str(tenant.id), what=reason, reason=type(error).__name__)
