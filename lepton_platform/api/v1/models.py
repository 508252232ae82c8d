from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from lepton_platform.api.call import Call, Reply, reply
from lepton_platform.api.operations import Answer, Declared, Json
from lepton_platform.api.v1.jobs import EXAMPLE as JOB
from lepton_platform.tasks.tuning import allowed
from recommender.registry import actions, queries
from recommender.registry.reasons import LANGUAGES, words_in
from recommender.registry.types import VersionView
from tenants.data.actions import jobs
from tenants.data.types import JobView
from tenants.errors import NotFound
from tenants.scope import Scope


class Training(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tune` first looks for better settings of each member, within the plan's budget; later trainings keep them."""

    profile: Literal["fast", "full"] = "full"
    tune: bool = False


class ModelReason(msgspec.Struct, frozen=True, kw_only=True):
    """`code` and its figures, and the sentence they make in each language."""

    code: str
    parameters: dict[str, Any]
    text: dict[str, str]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """`reasons` say why a version was refused or taken out of service, `reason` the same in English; `kept`, that it
    can still serve. `live` is what followed its answers, `drift` how far the latest days are from what it learned."""

    version: int
    state: Literal["candidate", "active", "retired", "refused", "corrupt"]
    profile: str
    job_id: UUID
    kept: bool
    metrics: dict[str, Any]
    reason: str
    reasons: list[ModelReason]
    live: dict[str, Any]
    drift: dict[str, Any]
    trained_at: datetime
    data_until: datetime | None


class ModelList(msgspec.Struct, frozen=True):
    data: list[Model]
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
    "data_until": "2026-11-20T09:30:00Z",
}


def present(view: VersionView) -> Model:
    said = [
        ModelReason(
            code=reason.code,
            parameters=dict(reason.parameters),
            text={language: words_in(language, (reason,)) for language in LANGUAGES},
        )
        for reason in view.reasons
    ]
    given = {name: getattr(view, name) for name in Model.__struct_fields__ if name != "reasons"}
    return Model(**given, reasons=said)


def number(call: Call[None]) -> int:
    """Raises NotFound also for a text that is no version."""
    text = call.path["version"].removeprefix("v")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound
    return int(text)


@Declared(
    "train_model",
    "POST",
    "models:write",
    "Train a model",
    (Answer(JobView, JOB, status=202, means="Queued; while a training is open, that one is returned."),),
    about="The new version serves only when it is better than popularity and than the live one.",
    body=Json(Training, {"profile": "full"}, optional=True),
).inside
def train(call: Call[Training], s: Scope) -> Reply:
    parameters: dict[str, Any] = {"profile": call.body.profile}
    if call.body.tune:
        parameters |= allowed(call.caller.plan)
    return reply(jobs.request_job(s, "train", parameters=parameters), status=202)


@Declared(
    "list_models",
    "GET",
    "models:read",
    "List model versions",
    (Answer(ModelList, {"data": [_MODEL], "next_cursor": None, "has_more": False}),),
    about="The newest 50, newest first, refused ones included.",
).inside
def index(_call: Call[None], s: Scope) -> Reply:
    return reply(ModelList([present(row) for row in queries.versions(s)], None, has_more=False))


@Declared(
    "get_model", "GET", "models:read", "Read a model version", (Answer(Model, _MODEL),), codes=("not_found",)
).inside
def get(call: Call[None], s: Scope) -> Reply:
    return reply(present(queries.version(s, number(call))))


@Declared(
    "promote_model",
    "POST",
    "models:write",
    "Let a version serve",
    (Answer(Model, _MODEL, means="This version serves now."),),
    codes=("not_found", "conflict"),
).inside
def promote(call: Call[None], s: Scope) -> Reply:
    return reply(present(actions.promote(s, number(call), expected=queries.active_number(s))))


@Declared(
    "roll_back_model",
    "POST",
    "models:write",
    "Return to the version before",
    (Answer(Model, _MODEL, means="The version that serves now."),),
    codes=("not_found", "conflict"),
).inside
def roll_back(_call: Call[None], s: Scope) -> Reply:
    return reply(present(actions.roll_back(s, expected=queries.active_number(s))))
