"""Background jobs: request, lease, progress, cancellation and recovery.

The job row is authoritative; messages only wake workers. A worker whose lease expired can't write to the job any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from uuid_utils.compat import uuid7

from tenants import audit
from tenants.data.queries import jobs
from tenants.data.types import JobView
from tenants.errors import Conflict
from tenants.scope import Scope

LEASE_DURATION = timedelta(seconds=60)
MAX_ATTEMPTS = 3
_OPEN = (
    "SELECT id FROM data_job WHERE tenant_id = %s AND kind = %s AND state IN ('queued', 'running') LIMIT 1"
)
_INSERT = """
INSERT INTO data_job (tenant_id, id, kind, state, phase, percent, attempt, parameters, outcome, reason, lease_owner,
                      cancel_requested, requested_by, created_at)
VALUES (%s, %s, %s, 'queued', '', 0, 0, %s::jsonb, '{}', '', '', false, %s, now())
"""
_OUTBOX = "INSERT INTO data_outbox (tenant_id, id, task, arguments, created_at) VALUES (%s, %s, %s, %s::jsonb, now())"
# A running job can be leased again after its lease expired. Every lease counts as an attempt.
_LEASE = """
UPDATE data_job SET state = 'running', attempt = attempt + 1, lease_owner = %s, lease_until = now() + %s,
                    started_at = coalesce(started_at, now()), reason = ''
WHERE tenant_id = %s AND id = %s AND NOT cancel_requested AND attempt < %s
  AND (state = 'queued' OR (state = 'running' AND lease_until < now()))
"""
_REPORT = """
UPDATE data_job SET phase = %s, percent = %s, lease_until = now() + %s
WHERE tenant_id = %s AND id = %s AND state = 'running' AND lease_owner = %s RETURNING cancel_requested
"""
_SAVE_CHECKPOINT = """
UPDATE data_job SET outcome = %s::jsonb
WHERE tenant_id = %s AND id = %s AND state = 'running' AND lease_owner = %s
"""
_FINISH = """
UPDATE data_job SET state = %s, reason = %s, outcome = %s::jsonb, finished_at = now(), lease_until = NULL,
                    percent = CASE WHEN %s = 'succeeded' THEN 100 ELSE percent END
WHERE tenant_id = %s AND id = %s AND state = 'running' AND lease_owner = %s
"""
# A running job keeps its state: its worker finishes it as cancelled at the next report.
_CANCEL = """
UPDATE data_job SET cancel_requested = true,
    state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END,
    finished_at = CASE WHEN state = 'queued' THEN now() ELSE finished_at END
WHERE tenant_id = %s AND id = %s AND state IN ('queued', 'running')
"""
_SET_REASON = """
UPDATE data_job SET reason = %s WHERE tenant_id = %s AND id = %s AND state IN ('succeeded', 'failed', 'cancelled')
"""
_EXPIRED = """
SELECT tenant_id, id, kind, attempt, cancel_requested FROM data_job
WHERE (state = 'running' AND lease_until < now()) OR (state = 'queued' AND created_at < now() - %s::interval)
LIMIT %s
"""
# Checks the lease again: a worker may have leased the job since _EXPIRED was executed.
_END_EXPIRED = """
UPDATE data_job SET state = %s, reason = %s, finished_at = now(), lease_until = NULL
WHERE tenant_id = %s AND id = %s AND state IN ('running', 'queued') AND (lease_until IS NULL OR lease_until < now())
"""


class ExpiredJob(NamedTuple):
    """A running job whose lease expired, or a queued job that no worker took."""

    tenant_id: UUID
    id: UUID
    kind: str
    attempt: int
    cancel_requested: bool


def request_job(s: Scope, kind: str, *, parameters: Mapping[str, Any]) -> JobView:
    """Queues a job and its message in the outbox. If a job of this kind is queued or running, returns that job."""
    # Locks the tenant's row, so that two concurrent requests do not both find no open job.
    s.cursor().execute("SELECT 1 FROM data_tenantstate WHERE tenant_id = %s FOR UPDATE", (s.tenant_id,))
    open_job = s.cursor().execute(_OPEN, (s.tenant_id, kind)).fetchone()
    if open_job is not None:
        return jobs.get_job(s, open_job[0])
    job_id = uuid7()
    s.cursor().execute(_INSERT, (s.tenant_id, job_id, kind, json.dumps(parameters), str(s.actor)))
    enqueue_message(s, kind, s.tenant_id, job_id)
    audit.record_entry(s, "job.request", f"job:{job_id}", kind=kind)
    return jobs.get_job(s, job_id)


def enqueue_message(
    s: Scope,
    kind: str,
    tenant_id: UUID,
    job_id: UUID,
) -> None:
    """Writes the message that makes a worker lease this job. Duplicates are harmless: only one worker gets the lease."""
    arguments = json.dumps({"tenant_id": str(tenant_id), "job_id": str(job_id)})
    s.cursor().execute(_OUTBOX, (tenant_id, uuid7(), f"lepton.{kind}", arguments))


def lease_job(s: Scope, job_id: UUID, *, owner: str) -> JobView | None:
    """Leases the job for 60 s. Returns None if it is finished, cancelled or leased by another worker."""
    parameters = (owner, LEASE_DURATION, s.tenant_id, job_id, MAX_ATTEMPTS)
    if not s.cursor().execute(_LEASE, parameters).rowcount:
        return None
    return jobs.get_job(s, job_id)


def report_progress(
    s: Scope,
    job_id: UUID,
    *,
    owner: str,
    phase: str,
    percent: int,
) -> bool:
    """Renews the lease. Returns whether cancellation was requested. Raises Conflict if the lease was lost."""
    # 100 % is set by finish_job.
    percent = max(0, min(99, percent))
    values = (phase[:60], percent, LEASE_DURATION, s.tenant_id, job_id, owner)
    row = s.cursor().execute(_REPORT, values).fetchone()
    if row is None:
        raise Conflict("Another worker has this job now.")
    return bool(row[0])


def save_checkpoint(
    s: Scope,
    job_id: UUID,
    *,
    owner: str,
    outcome: Mapping[str, Any],
) -> None:
    """Stores intermediate results that a next attempt can resume from. Raises Conflict if the lease was lost."""
    values = (json.dumps(outcome), s.tenant_id, job_id, owner)
    if not s.cursor().execute(_SAVE_CHECKPOINT, values).rowcount:
        raise Conflict("Another worker has this job now.")


def finish_job(
    s: Scope,
    job_id: UUID,
    *,
    owner: str,
    state: str,
    reason: str = "",
    outcome: Mapping[str, Any] | None = None,
) -> None:
    """Finishes a leased job.

    Args:
        s: The tenant's scope.
        job_id: The job.
        owner: The worker that holds the lease.
        state: "succeeded", "failed" or "cancelled".
        reason: Why it failed or was cancelled, for the tenant.
        outcome: The results.

    Raises:
        Conflict: The lease was lost.
    """
    values = (state, reason[:500], json.dumps(outcome or {}), state, s.tenant_id, job_id, owner)
    if not s.cursor().execute(_FINISH, values).rowcount:
        raise Conflict("Another worker has this job now.")
    audit.record_entry(s, f"job.{state}", f"job:{job_id}", reason=reason[:200])


def add_reason(s: Scope, job_id: UUID, reason: str) -> None:
    """Sets the reason of a finished job, e.g. that its model turned out to be damaged."""
    s.cursor().execute(_SET_REASON, (reason[:500], s.tenant_id, job_id))


def cancel_job(s: Scope, job_id: UUID) -> JobView:
    """Cancels a job: a queued one immediately, a running one at its next report. Raises NotFound, Conflict if finished."""
    before = jobs.get_job(s, job_id)
    if not s.cursor().execute(_CANCEL, (s.tenant_id, job_id)).rowcount:
        raise Conflict(f"This job is over: {before.state}.")
    audit.record_entry(s, "job.cancel", f"job:{job_id}")
    return jobs.get_job(s, job_id)


def recover_expired_jobs(
    s: Scope, *, limit: int = 100, queued_for: timedelta = timedelta(minutes=2)
) -> list[ExpiredJob]:
    """Enqueues messages for jobs whose worker died or whose message was lost; fails them after three attempts.

    Needs `data_ops`. Returns the expired jobs.
    """
    expired_jobs = [ExpiredJob(*row) for row in s.cursor().execute(_EXPIRED, (queued_for, limit))]
    for job in expired_jobs:
        if job.cancel_requested:
            _end_expired_job(s, job, "cancelled", "Cancelled while its worker was lost.")
        elif job.attempt >= MAX_ATTEMPTS:
            reason = f"Its worker was lost {MAX_ATTEMPTS} times; the job is parked. Start it again by hand."
            _end_expired_job(s, job, "failed", reason)
        else:
            enqueue_message(s, job.kind, job.tenant_id, job.id)
    return expired_jobs


def _end_expired_job(
    s: Scope,
    job: ExpiredJob,
    state: str,
    reason: str,
) -> None:
    s.cursor().execute(_END_EXPIRED, (state, reason, job.tenant_id, job.id))
