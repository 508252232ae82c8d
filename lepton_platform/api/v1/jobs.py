from __future__ import annotations

from uuid import UUID

import msgspec

from lepton_platform.api import pagination
from lepton_platform.api.call import Call, Reply, reply
from lepton_platform.api.operations import LISTING, Answer, Declared
from tenants.data.actions import jobs as actions
from tenants.data.queries import jobs
from tenants.data.types import JobView
from tenants.errors import NotFound
from tenants.scope import Scope


class JobPage(msgspec.Struct, frozen=True):
    data: list[JobView]
    next_cursor: str | None
    has_more: bool


EXAMPLE = {
    "id": "01936f6e-8a10-7cc1-9c1f-3b5a6c7d8e9f",
    "kind": "train",
    "state": "running",
    "phase": "fit ease",
    "percent": 42,
    "attempt": 1,
    "reason": "",
    "parameters": {"profile": "fast"},
    "outcome": {},
    "cancel_requested": False,
    "requested_by": "key:4fT0aYq81ZrLwB",
    "created_at": "2026-11-20T09:30:00Z",
    "started_at": "2026-11-20T09:30:02Z",
    "finished_at": None,
}


def job_id(call: Call[None]) -> UUID:
    """Raises NotFound also for a text that is no id: the answer tells nothing about ids."""
    try:
        return UUID(call.path["job_id"])
    except ValueError as error:
        raise NotFound from error


@Declared(
    "list_jobs",
    "GET",
    "jobs:read",
    "List jobs",
    (Answer(JobPage, {"data": [EXAMPLE], "next_cursor": None, "has_more": False}),),
    about="Newest first.",
    query=LISTING,
).inside
def index(call: Call[None], s: Scope) -> Reply:
    after = pagination.read_cursor(s.tenant_id, "jobs", call.query, UUID)
    rows, position = jobs.jobs_page(s, after=after, limit=pagination.limit(call.query))
    cursor = pagination.write_cursor(s.tenant_id, "jobs", position)
    return reply(JobPage(rows, cursor, cursor is not None))


@Declared(
    "get_job", "GET", "jobs:read", "Read a job", (Answer(JobView, EXAMPLE),), codes=("not_found",)
).inside
def get(call: Call[None], s: Scope) -> Reply:
    return reply(jobs.job(s, job_id(call)))


@Declared(
    "cancel_job",
    "POST",
    "jobs:write",
    "Cancel a job",
    (Answer(JobView, {**EXAMPLE, "cancel_requested": True}, means="A running job stops at its next step."),),
    codes=("not_found", "conflict"),
).inside
def cancel(call: Call[None], s: Scope) -> Reply:
    return reply(actions.cancel_job(s, job_id(call)))
