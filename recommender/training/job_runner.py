"""What a worker does with a training job: take the lease, train, and leave a state that says it all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import structlog

from recommender.training.job_heartbeat import JobHeartbeat, LeaseLost
from recommender.training.job_parameters import TrainingParameters
from recommender.training.pipeline import RunOutcome, train_and_publish
from recommender.types import DataError, TrainingCancelled
from tenants.data.actions import jobs
from tenants.errors import KeyServiceUnavailable, StoreUnavailable
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

log = structlog.get_logger(__name__)


def run_training_job(tenant: TenantRef, job_id: UUID, *, owner: str, actor: Actor) -> None:
    """Does nothing when the job is done, cancelled, parked or leased by another: messages may come twice.

    While the database or the key service is away the lease runs out and the sweeper asks again.
    """
    with scope(tenant, actor=actor) as s:
        job = jobs.lease_job(s, job_id, owner=owner)
    if job is None:
        return
    state, reason, outcome = "failed", "", dict[str, Any]()
    try:
        with JobHeartbeat(tenant, job_id, owner=owner, actor=actor) as watch:
            done = train_and_publish(
                tenant, job_id, parameters=TrainingParameters.from_job(job), actor=actor, heartbeat=watch
            )
        state, reason, outcome = "succeeded", done.version.reason, _build_outcome(done)
    except TrainingCancelled:
        state, reason = "cancelled", "Cancelled on request."
    except DataError as error:
        reason = str(error)
    except MemoryError:
        reason = "The worker ran out of memory; the tenant needs a larger one."
    except (LeaseLost, StoreUnavailable, KeyServiceUnavailable) as error:
        log.warning("training_interrupted", job=str(job_id), reason=error.code)
        return
    except Exception as error:
        log.exception("training_failed", job=str(job_id))
        reason = (
            f"An unexpected error stopped the training ({type(error).__name__}); the log has the details."
        )
    with scope(tenant, actor=actor) as s:
        jobs.finish_job(s, job_id, owner=owner, state=state, reason=reason, outcome=outcome)


def _build_outcome(result: RunOutcome) -> dict[str, Any]:
    version = result.version
    reasons = [reason.to_json() for reason in version.reasons]
    said = {"reasons": reasons} if reasons else {}
    return {"version": version.version, "state": version.state, "serves": version.is_active, **said}
