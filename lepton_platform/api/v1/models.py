from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import JsonBody, OperationDeclaration, ResponseSpec
from lepton_platform.api.v1.jobs import JOB_EXAMPLE as JOB
from lepton_platform.tasks.tuning_limits import limit_tuning_parameters
from recommender.registry import actions, queries
from recommender.registry.reasons import LANGUAGES, translate_reasons_into
from recommender.registry.types import VersionView
from tenants.data.actions import jobs
from tenants.data.types import JobView
from tenants.errors import NotFound
from tenants.scope import Scope


class TrainModelRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tune` first looks for better settings of each member, within the plan's budget; later trainings keep them."""

    profile: Literal["fast", "full"] = "full"
    tune: bool = False


class ModelReason(msgspec.Struct, frozen=True, kw_only=True):
    """`code` and its figures, and the sentence they make in each language."""

    code: str
    parameters: dict[str, Any]
    text: dict[str, str]


class ModelVersionResponse(msgspec.Struct, frozen=True, kw_only=True):
    """`reasons` say why a version was refused or taken out of service, `reason` the same in English; `kept`, that it
    can still serve. `live` is what followed its answers, `drift` how far the latest days are from what it learned."""

    version: int
    state: Literal["candidate", "active", "retired", "refused", "corrupt"]
    profile: str
    job_id: UUID
    has_artefact: bool
    metrics: dict[str, Any]
    reason: str
    reasons: list[ModelReason]
    live: dict[str, Any]
    drift: dict[str, Any]
    trained_at: datetime
    latest_event_at: datetime | None


class ModelList(msgspec.Struct, frozen=True):
    data: list[ModelVersionResponse]
    next_cursor: None
    has_more: bool


_MODEL = {
    "version": 3,
    "state": "active",
    "profile": "full",
    "job_id": JOB["id"],
    "kept": True,
    "metrics": {"blend": {"test": {"ndcg@10": 0.071}}},
    "reason": "",
    "reasons": [],
    "live": {},
    "drift": {},
    "trained_at": "2026-11-20T09:41:00Z",
    "latest_event_at": "2026-11-20T09:30:00Z",
}


def present_version(view: VersionView) -> ModelVersionResponse:
    said = [
        ModelReason(
            code=reason.code,
            parameters=dict(reason.parameters),
            text={language: translate_reasons_into(language, (reason,)) for language in LANGUAGES},
        )
        for reason in view.reasons
    ]
    given = {
        name: getattr(view, name) for name in ModelVersionResponse.__struct_fields__ if name != "reasons"
    }
    return ModelVersionResponse(**given, reasons=said)


def parse_version_number(request: ApiRequest[None]) -> int:
    """Raises NotFound also for a text that is no version."""
    text = request.path["version"].removeprefix("v")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound
    return int(text)


@OperationDeclaration(
    "train_model",
    "POST",
    "models:write",
    "Train a model",
    (
        ResponseSpec(
            JobView, JOB, status=202, description="Queued; while a training is open, that one is returned."
        ),
    ),
    description="The new version serves only when it is better than popularity and than the live one.",
    body=JsonBody(TrainModelRequest, {"profile": "full"}, optional=True),
).bind_in_scope
def train_model(request: ApiRequest[TrainModelRequest], s: Scope) -> ApiResponse:
    parameters: dict[str, Any] = {"profile": request.body.profile}
    if request.body.tune:
        parameters |= limit_tuning_parameters(request.caller.plan)
    return to_json_response(jobs.request_job(s, "train", parameters=parameters), status=202)


@OperationDeclaration(
    "list_models",
    "GET",
    "models:read",
    "List model versions",
    (ResponseSpec(ModelList, {"data": [_MODEL], "next_cursor": None, "has_more": False}),),
    description="The newest 50, newest first, refused ones included.",
).bind_in_scope
def list_models(_request: ApiRequest[None], s: Scope) -> ApiResponse:
    return to_json_response(
        ModelList([present_version(row) for row in queries.list_versions(s)], None, has_more=False)
    )


@OperationDeclaration(
    "get_model",
    "GET",
    "models:read",
    "Read a model version",
    (ResponseSpec(ModelVersionResponse, _MODEL),),
    error_codes=("not_found",),
).bind_in_scope
def get_model(request: ApiRequest[None], s: Scope) -> ApiResponse:
    return to_json_response(present_version(queries.get_version(s, parse_version_number(request))))


@OperationDeclaration(
    "promote_model",
    "POST",
    "models:write",
    "Let a version serve",
    (ResponseSpec(ModelVersionResponse, _MODEL, description="This version serves now."),),
    error_codes=("not_found", "conflict"),
).bind_in_scope
def promote_model(request: ApiRequest[None], s: Scope) -> ApiResponse:
    return to_json_response(
        present_version(
            actions.promote(s, parse_version_number(request), expected=queries.get_active_number(s))
        )
    )


@OperationDeclaration(
    "roll_back_model",
    "POST",
    "models:write",
    "Return to the version before",
    (ResponseSpec(ModelVersionResponse, _MODEL, description="The version that serves now."),),
    error_codes=("not_found", "conflict"),
).bind_in_scope
def roll_back_model(_request: ApiRequest[None], s: Scope) -> ApiResponse:
    return to_json_response(present_version(actions.roll_back(s, expected=queries.get_active_number(s))))
