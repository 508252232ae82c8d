"""Queries on background jobs."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from tenants.data.types import JobView
from tenants.errors import NotFound
from tenants.scope import Scope

COLUMNS = (
    "id, kind, state, phase, percent, attempt, reason, parameters::text, outcome::text, cancel_requested, requested_by, "
    "created_at, started_at, finished_at"
)
_GET = f"SELECT {COLUMNS} FROM data_job WHERE tenant_id = %s AND id = %s"  # noqa: S608 - constant columns
_PAGE = f"""
SELECT {COLUMNS} FROM data_job
WHERE tenant_id = %s AND (%s::uuid IS NULL OR id < %s::uuid) AND (%s::text IS NULL OR kind = %s::text)
ORDER BY id DESC LIMIT %s
"""  # noqa: S608 - constant columns
_ACROSS = """
SELECT tenant_id, id, kind, state, phase, percent, attempt, reason, created_at, lease_until
FROM data_job ORDER BY id DESC LIMIT %s
"""
_STATES = """
SELECT state, count(*) FROM data_job
WHERE created_at > now() - interval '1 day' OR state IN ('queued', 'running') GROUP BY state
"""


class OpsJob(NamedTuple):
    """A job as staff pages and maintenance tasks see it: without parameters and outcome."""

    tenant_id: UUID
    id: UUID
    kind: str
    state: str
    phase: str
    percent: int
    attempt: int
    reason: str
    created_at: Any
    lease_until: Any


def get_job(s: Scope, job_id: UUID) -> JobView:
    """Returns one job. Raises NotFound, also for a job of another tenant."""
    row = s.cursor().execute(_GET, (s.tenant_id, job_id)).fetchone()
    if row is None:
        raise NotFound("No job has this id.")
    return _to_view(row)


def _to_view(row: tuple[Any, ...]) -> JobView:
    # The columns are those of COLUMNS; the two JSON columns are decoded, the others are JobView's fields in their order.
    parameters, outcome = msgspec.json.decode(row[7]), msgspec.json.decode(row[8])
    return JobView(*(*row[:7], parameters, outcome, *row[9:]))


def list_jobs(
    s: Scope,
    *,
    after: UUID | None = None,
    limit: int = 50,
    kind: str | None = None,
) -> tuple[list[JobView], UUID | None]:
    """Returns a page of jobs, newest first, and the cursor of the next page or None at the end."""
    rows = s.cursor().execute(_PAGE, (s.tenant_id, after, after, kind, kind, limit + 1)).fetchall()
    views = [_to_view(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return views, None
    return views, views[-1].id


def list_jobs_across_tenants(s: Scope, *, limit: int = 200) -> list[OpsJob]:
    """Returns the newest jobs of all tenants of the region, newest first. Needs `data_ops`."""
    return [OpsJob(*row) for row in s.cursor().execute(_ACROSS, (limit,))]


def count_by_state(s: Scope) -> dict[str, int]:
    """Counts open jobs and jobs of the last day by state; with `data_ops` those of all tenants of the region."""
    return dict(s.cursor().execute(_STATES).fetchall())
