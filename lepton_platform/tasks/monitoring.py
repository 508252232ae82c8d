"""Tasks that monitor active models. An error of one tenant does not stop the monitoring of the others."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from celery import shared_task

from lepton_platform.tasks.tenants import WORKER, iter_active_tenants
from recommender.monitoring import auto_rollback, drift
from recommender.types import DataError
from tenants.errors import DomainError, RegionNotServed

log = structlog.get_logger(__name__)


@shared_task(name="lepton.monitor")  # type: ignore[untyped-decorator]  # celery has no types
def watch_models(*, region: str) -> None:
    """Rolls back active versions whose outcomes became significantly worse."""
    _run_for_each_tenant(region, "monitoring of active models", auto_rollback.check_active_version)


@shared_task(name="lepton.drift")  # type: ignore[untyped-decorator]  # celery has no types
def measure_drift(*, region: str) -> None:
    """Compares the latest events with those that the active versions were trained on."""
    _run_for_each_tenant(region, "drift of inputs and scores", drift.measure_drift)


def _run_for_each_tenant(region: str, reason: str, check: Callable[..., object]) -> None:
    """Calls `check(tenant, actor=...)` for every active tenant; logs errors of the domain and of the data."""
    for tenant in iter_active_tenants(region, reason=reason):
        try:
            check(tenant, actor=WORKER)
        except RegionNotServed:
            # The message reached a worker of another region: no tenant is at fault.
            raise
        except (DomainError, DataError) as error:
            log.warning(
                "watch_failed",
                tenant=str(tenant.id),
                what=reason,
                reason=type(error).__name__,
            )
