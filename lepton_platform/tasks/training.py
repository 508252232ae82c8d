from __future__ import annotations

from uuid import UUID

from celery import shared_task

from lepton_platform.tasks.workers import WORKER, owner, ref, tenants_of
from recommender.features.images import ENCODER
from recommender.training.refresh import request_if_due
from tenants.data.queries import looks
from tenants.scope import scope

MOST_IMAGES = 512


@shared_task(name="lepton.train")  # type: ignore[untyped-decorator]  # celery has no types
def train(*, tenant_id: str, job_id: str, region: str) -> None:
    """Trains one job, unless it is done, cancelled or leased elsewhere."""
    from recommender.training.work import work  # noqa: PLC0415 - torch loads only where something is trained

    work(ref(tenant_id, region), UUID(job_id), owner=owner(), actor=WORKER)


@shared_task(name="lepton.look")  # type: ignore[untyped-decorator]  # celery has no types
def look(*, region: str) -> None:
    """Looks at images that came since the last training, so that new items are recommended by them before the next.

    So many a time that one tenant's new catalogue keeps nobody waiting; a training looks at all that are left."""
    for tenant in tenants_of(region, reason="look at new images"):
        with scope(tenant, actor=WORKER) as s:
            waiting = looks.count_unseen(s, ENCODER)
        if waiting:
            from recommender.training.looking import look_at_images  # noqa: PLC0415 - torch loads only where needed

            look_at_images(tenant, actor=WORKER, most=MOST_IMAGES)


@shared_task(name="lepton.refresh")  # type: ignore[untyped-decorator]  # celery has no types
def refresh(*, region: str) -> None:
    """Requests a training for every tenant with enough new events."""
    for tenant in tenants_of(region, reason="scheduled refresh of models"):
        request_if_due(tenant, actor=WORKER)
