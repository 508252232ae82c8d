from __future__ import annotations

from uuid import UUID

import msgspec

from lepton_platform.api import pagination
from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import PAGE_PARAMETERS, OperationDeclaration, ResponseSpec
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
    """Raises NotFound also for a text that is no id: the answer tells nothing about ids."""
    try:
        return UUID(request.path["job_id"])
    except ValueError as error:
        raise NotFound from error


@OperationDeclaration(
    "list_jobs",
    "GET",
    "jobs:read",
    "List jobs",
    (ResponseSpec(JobPage, {"data": [JOB_EXAMPLE], "next_cursor": None, "has_more": False}),),
    description="Newest first.",
    query_parameters=PAGE_PARAMETERS,
).bind_in_scope
def list_jobs(request: ApiRequest[None], s: Scope) -> ApiResponse:
    after = pagination.decode_cursor(s.tenant_id, "jobs", request.query, UUID)
    rows, position = jobs.list_jobs(s, after=after, limit=pagination.parse_page_size(request.query))
    cursor = pagination.encode_cursor(s.tenant_id, "jobs", position)
    return to_json_response(JobPage(rows, cursor, cursor is not None))


@OperationDeclaration(
    "get_job",
    "GET",
    "jobs:read",
    "Read a job",
    (ResponseSpec(JobView, JOB_EXAMPLE),),
    error_codes=("not_found",),
).bind_in_scope
def get_job(request: ApiRequest[None], s: Scope) -> ApiResponse:
    return to_json_response(jobs.get_job(s, parse_job_id(request)))


@OperationDeclaration(
    "cancel_job",
    "POST",
    "jobs:write",
    "Cancel a job",
    (
        ResponseSpec(
            JobView,
            {**JOB_EXAMPLE, "cancel_requested": True},
            description="A running job stops at its next step.",
        ),
    ),
    error_codes=("not_found", "conflict"),
).bind_in_scope
def cancel_job(request: ApiRequest[None], s: Scope) -> ApiResponse:
    return to_json_response(actions.cancel_job(s, parse_job_id(request)))
