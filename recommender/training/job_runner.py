"""Runs one training job in a worker: takes its lease, trains, and stores the outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from recommender.registry.types import VersionView
from recommender.training.job_heartbeat import JobHeartbeat, LeaseLost
from recommender.training.job_parameters import TrainingParameters
from recommender.training.pipeline import train_and_publish
from recommender.types import DataError, TrainingCancelled
from tenants.data.actions import jobs
from tenants.data.types import JobView
from tenants.errors import KeyServiceUnavailable, StoreUnavailable
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

log = structlog.get_logger(__name__)


@dataclass(
    frozen=True,
    slots=True,
)
class _JobResult:
    """The final state of a job; `outcome` is the JSON that the API and the portal read."""

    state: str
    reason: str
    outcome: dict[str, Any] = field(default_factory=dict)


def run_training_job(
    tenant: TenantRef,
    job_id: UUID,
    *,
    owner: str,
    actor: Actor,
) -> None:
    """Trains a job and stores its final state.

    Does nothing if the job is done, cancelled, parked or leased by another worker: messages may be delivered twice. If the
    database, the object store or the key service fails, the job stays leased; the sweeper queues it again when the lease expires.
    """
    with scope(tenant, actor=actor) as s:
        job = jobs.lease_job(s, job_id, owner=owner)
    # Another worker has it, or an earlier delivery of the message finished it.
    if job is None:
        return
    try:
        result = _train(
            tenant,
            job,
            owner=owner,
            actor=actor,
        )
    except (LeaseLost, StoreUnavailable, KeyServiceUnavailable) as error:
        log.warning(
            "training_interrupted",
            job=str(job_id),
            reason=error.code,
        )
        return
    with scope(tenant, actor=actor) as s:
        jobs.finish_job(
            s,
            job_id,
            owner=owner,
            state=result.state,
            reason=result.reason,
            outcome=result.outcome,
        )


def _train(
    tenant: TenantRef,
    job: JobView,
    *,
    owner: str,
    actor: Actor,
) -> _JobResult:
    """Maps exceptions to final states; lets through those after which another attempt may succeed."""
    try:
        with JobHeartbeat(
            tenant,
            job.id,
            owner=owner,
            actor=actor,
        ) as heartbeat:
            version = train_and_publish(
                tenant,
                job.id,
                parameters=TrainingParameters.from_job(job),
                actor=actor,
                heartbeat=heartbeat,
            )
    except TrainingCancelled:
        return _JobResult("cancelled", "Cancelled on request.")
    except DataError as error:
        return _JobResult("failed", str(error))
    # Another attempt on the same worker would fail in the same way.
    except MemoryError:
        return _JobResult("failed", "The worker ran out of memory; the tenant needs a larger one.")
    except (LeaseLost, StoreUnavailable, KeyServiceUnavailable):
        raise
    except Exception as error:
        log.exception("training_failed", job=str(job.id))
        kind = type(error).__name__
        reason = f"An unexpected error stopped the training ({kind}); the log has the details."
        return _JobResult("failed", reason)
    return _JobResult("succeeded", version.reason, _build_outcome(version))


def _build_outcome(version: VersionView) -> dict[str, Any]:
    outcome: dict[str, Any] = {
        "version": version.version,
        "state": version.state,
        "active": version.is_active,
    }
    if version.reasons:
        outcome["reasons"] = [reason.to_json() for reason in version.reasons]
    return outcome
