"""Tasks that train models, request trainings, and embed new images."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from lepton_platform.tasks.tenants import WORKER, build_tenant_ref, get_worker_name, iter_active_tenants
from recommender.features.images import ENCODER_NAME
from recommender.training.refresh_schedule import request_if_due
from tenants.data.queries import image_embeddings
from tenants.scope import scope

# Bounds how long one tenant's images keep those of other tenants waiting.
MAX_IMAGES = 512


@shared_task(name="lepton.train")  # type: ignore[untyped-decorator]  # celery has no types
def train_model(*, tenant_id: str, job_id: str, region: str) -> None:
    """Runs a training job, unless it is done, cancelled or leased by another worker."""
    from recommender.training.job_runner import run_training_job  # noqa: PLC0415 - torch loads only where something is trained

    run_training_job(
        build_tenant_ref(tenant_id, region),
        UUID(job_id),
        owner=get_worker_name(),
        actor=WORKER,
    )


@shared_task(name="lepton.embed_images")  # type: ignore[untyped-decorator]  # celery has no types
def embed_images(*, region: str) -> None:
    """Embeds images that were added since the last training, so that new items can be recommended by them at once.

    At most MAX_IMAGES of each tenant; a training embeds all that remain.
    """
    for tenant in iter_active_tenants(region, reason="embed new images"):
        with scope(tenant, actor=WORKER) as s:
            n_pending = image_embeddings.count_pending(s, ENCODER_NAME)
        if n_pending:
            from recommender.training.new_image_embeddings import embed_new_images  # noqa: PLC0415 - torch loads only where needed

            embed_new_images(
                tenant,
                actor=WORKER,
                max_images=MAX_IMAGES,
            )


@shared_task(name="lepton.refresh")  # type: ignore[untyped-decorator]  # celery has no types
def refresh_models(*, region: str) -> None:
    """Requests a training of every tenant that has enough new events."""
    for tenant in iter_active_tenants(region, reason="scheduled refresh of models"):
        request_if_due(tenant, actor=WORKER)
