"""Chooses where a tenant's networks are trained: in this process or, for large data, on a Ray cluster."""

from __future__ import annotations

import structlog
from django.conf import settings

from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.dataset import Dataset

log = structlog.get_logger(__name__)


def select_distributed_backend(dataset: Dataset) -> DistributedBackend | None:
    """The Ray backend, or None for this process.

    None if no cluster is configured, if the data set has fewer events than LEPTON_RAY_MIN_EVENTS, or if the extra `ray` is not
    installed.
    """
    address = settings.LEPTON_RAY_ADDRESS
    if not address or dataset.n_events < settings.LEPTON_RAY_MIN_EVENTS:
        return None
    try:
        from recommender.algorithms.sequential.distributed.ray_backend import RayBackend  # noqa: PLC0415 - ray is an optional extra
    except ModuleNotFoundError:
        log.warning("ray_missing", reason="LEPTON_RAY_ADDRESS is set, but the extra `ray` is not installed.")
        return None
    return RayBackend(
        address,
        n_workers=settings.LEPTON_RAY_WORKERS,
        log=lambda reason, _fraction: log.warning("ray_failed", reason=reason),
    )
