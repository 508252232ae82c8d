from __future__ import annotations

from uuid import UUID

from celery import shared_task

from lepton_platform.tasks.workers import WORKER, owner, ref, tenants_of
from recommender.training.refresh import request_if_due


@shared_task(name="lepton.train")  # type: ignore[untyped-decorator]  # celery has no types
def train(*, tenant_id: str, job_id: str, region: str) -> None:
    """Trains one job, unless it is done, cancelled or leased elsewhere."""
    from recommender.training.work import work  # noqa: PLC0415 - torch loads only where something is trained

    work(ref(tenant_id, region), UUID(job_id), owner=owner(), actor=WORKER)


@shared_task(name="lepton.refresh")  # type: ignore[untyped-decorator]  # celery has no types
def refresh(*, region: str) -> None:
    """Requests a training for every tenant with enough new events."""
    for tenant in tenants_of(region, reason="scheduled refresh of models"):
        request_if_due(tenant, actor=WORKER)
