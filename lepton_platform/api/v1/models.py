"""The addresses `models`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

import msgspec

from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import JsonBody, ResponseSpec, operation
from lepton_platform.api.v1.jobs import JOB_EXAMPLE as JOB
from lepton_platform.tasks.tuning_limits import limit_tuning_parameters
from recommender.registry import actions, queries
from recommender.registry.reasons import LANGUAGES, translate_reasons_into
from recommender.registry.types import VersionView
from tenants.data.actions import jobs
from tenants.data.types import JobView
from tenants.errors import NotFound
from tenants.scope import Scope

VersionState = Literal["candidate", "active", "retired", "refused", "corrupt"]


class TrainModelRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tune` first searches for better hyper-parameters of each model, within the plan's budget. Later trainings use them."""

    profile: Literal["fast", "full"] = "full"
    tune: bool = False


class ModelReason(msgspec.Struct, frozen=True, kw_only=True):
    """A reason as a code with parameters, and as a sentence in each language."""

    code: str
    parameters: dict[str, Any]
    text: dict[str, str]


class ModelVersionResponse(msgspec.Struct, frozen=True, kw_only=True):
    """`reasons` are the reasons why the version was refused or rolled back; `reason` is the same in English.

    `has_artefact` is true while the version's files exist, so that it can be activated. `live` has the online metrics of
    its recommendations, `drift` the distance between the latest days and its training data.
    """

    version: int
    state: VersionState
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
    # The list is limited, not paged; it has the fields of a page so that clients can treat all lists alike.
    has_more: bool


_MODEL = {
    "version": 3,
    "state": "active",
    "profile": "full",
    "job_id": JOB["id"],
    "has_artefact": True,
    "metrics": {"blend": {"test": {"ndcg@10": 0.071}}},
    "reason": "",
    "reasons": [],
    "live": {},
    "drift": {},
    "trained_at": "2026-11-20T09:41:00Z",
    "latest_event_at": "2026-11-20T09:30:00Z",
}


def present_version(view: VersionView) -> ModelVersionResponse:
    """Converts a model version to its response, with the reasons in every language."""
    reasons = [
        ModelReason(
            code=reason.code,
            parameters=dict(reason.parameters),
            text={language: translate_reasons_into(language, (reason,)) for language in LANGUAGES},
        )
        for reason in view.reasons
    ]
    return ModelVersionResponse(
        version=view.version,
        state=cast("VersionState", view.state),
        profile=view.profile,
        job_id=view.job_id,
        has_artefact=view.has_artefact,
        metrics=dict(view.metrics),
        reason=view.reason,
        reasons=reasons,
        live=dict(view.live),
        drift=dict(view.drift),
        trained_at=view.trained_at,
        latest_event_at=view.latest_event_at,
    )


def parse_version_number(request: ApiRequest[None]) -> int:
    """Returns the version number of the path (`3` or `v3`). Raises NotFound for a malformed number too."""
    text = request.path["version"].removeprefix("v")
    # isdigit() is also true for superscripts, which int() refuses; ten digits exceed the database's integer.
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound
    return int(text)


@operation(
    name="train_model",
    method="POST",
    scope="models:write",
    summary="Train a model",
    responses=(
        ResponseSpec(
            JobView,
            JOB,
            status=202,
            description="Queued. If a training is queued or running already, that job is returned.",
        ),
    ),
    description="The new version is activated if it is significantly better than popularity and not worse than the active version.",
    body=JsonBody(TrainModelRequest, {"profile": "full"}, optional=True),
)
def train_model(request: ApiRequest[TrainModelRequest], s: Scope) -> ApiResponse:
    """Queues a training."""
    parameters: dict[str, Any] = {"profile": request.body.profile}
    if request.body.tune:
        # The budget comes from the plan, never from the client.
        parameters |= limit_tuning_parameters(request.caller.plan)
    return to_json_response(jobs.request_job(s, "train", parameters=parameters), status=202)


@operation(
    name="list_models",
    method="GET",
    scope="models:read",
    summary="List model versions",
    responses=(ResponseSpec(ModelList, {"data": [_MODEL], "next_cursor": None, "has_more": False}),),
    description="The 50 newest versions, newest first, including refused ones.",
)
def list_models(_request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns the newest model versions."""
    versions = [present_version(view) for view in queries.list_versions(s)]
    return to_json_response(ModelList(versions, next_cursor=None, has_more=False))


@operation(
    name="get_model",
    method="GET",
    scope="models:read",
    summary="Read a model version",
    responses=(ResponseSpec(ModelVersionResponse, _MODEL),),
    error_codes=("not_found",),
)
def get_model(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns one model version."""
    return to_json_response(present_version(queries.get_version(s, parse_version_number(request))))


@operation(
    name="promote_model",
    method="POST",
    scope="models:write",
    summary="Activate a version",
    responses=(ResponseSpec(ModelVersionResponse, _MODEL, description="The version, which is active now."),),
    error_codes=("not_found", "conflict"),
)
def promote_model(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Activates a version."""
    number = parse_version_number(request)
    version = actions.promote(s, number, expected=queries.get_active_number(s))
    return to_json_response(present_version(version))


@operation(
    name="roll_back_model",
    method="POST",
    scope="models:write",
    summary="Activate the previous version",
    responses=(ResponseSpec(ModelVersionResponse, _MODEL, description="The version that is active now."),),
    error_codes=("not_found", "conflict"),
)
def roll_back_model(_request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Activates the previous version."""
    # `expected` makes the call fail if another request changed the active version meanwhile.
    version = actions.roll_back(s, expected=queries.get_active_number(s))
    return to_json_response(present_version(version))
