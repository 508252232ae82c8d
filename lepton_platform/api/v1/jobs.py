"""The addresses `jobs`."""

from __future__ import annotations

from uuid import UUID

import msgspec

from lepton_platform.api import pagination
from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import PAGE_PARAMETERS, ResponseSpec, operation
from tenants.data.actions import jobs as actions
from tenants.data.queries import jobs
from tenants.data.types import JobView
from tenants.errors import NotFound
from tenants.scope import Scope


class JobPage(msgspec.Struct, frozen=True):
    data: list[JobView]
    next_cursor: str | None
    has_more: bool


JOB_EXAMPLE = {
    "id": "01936f6e-8a10-7cc1-9c1f-3b5a6c7d8e9f",
    "kind": "train",
    "state": "running",
    # An English label; the portal translates it.
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


def parse_job_id(request: ApiRequest[None]) -> UUID:
    """Returns the job id of the path. Raises NotFound for a malformed id too, as for an unknown one."""
    try:
        return UUID(request.path["job_id"])
    except ValueError as error:
        raise NotFound from error


@operation(
    name="list_jobs",
    method="GET",
    scope="jobs:read",
    summary="List jobs",
    responses=(ResponseSpec(JobPage, {"data": [JOB_EXAMPLE], "next_cursor": None, "has_more": False}),),
    description="Newest first.",
    query_parameters=PAGE_PARAMETERS,
)
def list_jobs(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns a page of the tenant's jobs."""
    # Job ids are UUIDs of version 7, which sort by creation time.
    after = pagination.decode_cursor(s.tenant_id, "jobs", request.query, UUID)
    rows, position = jobs.list_jobs(s, after=after, limit=pagination.parse_page_size(request.query))
    cursor = pagination.encode_cursor(s.tenant_id, "jobs", position)
    return to_json_response(JobPage(rows, cursor, cursor is not None))


@operation(
    name="get_job",
    method="GET",
    scope="jobs:read",
    summary="Read a job",
    responses=(ResponseSpec(JobView, JOB_EXAMPLE),),
    error_codes=("not_found",),
)
def get_job(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns one job."""
    return to_json_response(jobs.get_job(s, parse_job_id(request)))


@operation(
    name="cancel_job",
    method="POST",
    scope="jobs:write",
    summary="Cancel a job",
    responses=(
        ResponseSpec(
            JobView,
            {**JOB_EXAMPLE, "cancel_requested": True},
            description="A running job stops at its next checkpoint.",
        ),
    ),
    error_codes=("not_found", "conflict"),
)
def cancel_job(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Requests that a job stops."""
    return to_json_response(actions.cancel_job(s, parse_job_id(request)))
