from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import JsonBody, OperationDeclaration, ResponseSpec
from tenants.data.actions import profiles as actions
from tenants.data.queries import profiles
from tenants.data.types import Attribute, Attributes, Label, Language, ProfileInput, ProfileView
from tenants.errors import Invalid
from tenants.privacy.erasure import erase_profile
from tenants.scope import Scope


class ProfileBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    attributes: Attributes = {}
    language: Language | None = None
    consent: Literal["granted", "refused"] | None = None


class AttributeChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attributes named here are set, or removed where the value is null; the others stay."""

    attributes: dict[Label, Attribute | None]


class ProfileResponse(ProfileInput, frozen=True, kw_only=True, omit_defaults=False):
    created_at: datetime
    updated_at: datetime
    events: int


class ErasureResponse(msgspec.Struct, frozen=True):
    """`rows` counts what was deleted."""

    erased_at: datetime
    rows: int


_BODY = {"attributes": {"segment": "regular", "age_band": "30-39"}, "language": "de", "consent": "granted"}
_PROFILE = {
    "id": "customer-7",
    **_BODY,
    "created_at": "2026-11-01T08:00:00Z",
    "updated_at": "2026-11-20T09:30:00Z",
    "events": 18,
}


def present_profile(view: ProfileView) -> ProfileResponse:
    return ProfileResponse(
        **msgspec.structs.asdict(view.profile),
        created_at=view.created_at,
        updated_at=view.updated_at,
        events=view.events,
    )


@OperationDeclaration(
    "put_profile",
    "PUT",
    "profiles:write",
    "Add or replace a profile",
    (ResponseSpec(ProfileResponse, _PROFILE, description="The profile as stored."),),
    body=JsonBody(ProfileBody, _BODY),
).bind_in_scope
def put_profile(request: ApiRequest[ProfileBody], s: Scope) -> ApiResponse:
    wanted = request.path["profile_id"]
    row = ProfileInput(id=wanted, **msgspec.structs.asdict(request.body))
    result = actions.upsert_profiles(s, [row])
    if result.rejected:
        raise Invalid.from_field(
            result.rejected[0].pointer, result.rejected[0].code, result.rejected[0].detail
        )
    return to_json_response(present_profile(profiles.get_profile(s, wanted)))


@OperationDeclaration(
    "get_profile",
    "GET",
    "profiles:read",
    "Read a profile",
    (ResponseSpec(ProfileResponse, _PROFILE),),
    error_codes=("not_found",),
).bind_in_scope
def get_profile(request: ApiRequest[None], s: Scope) -> ApiResponse:
    return to_json_response(present_profile(profiles.get_profile(s, request.path["profile_id"])))


@OperationDeclaration(
    "change_profile_attributes",
    "PATCH",
    "profiles:write",
    "Change attributes of a profile",
    (ResponseSpec(ProfileResponse, _PROFILE, description="The profile as stored."),),
    body=JsonBody(AttributeChanges, {"attributes": {"segment": "loyal", "age_band": None}}),
    error_codes=("not_found",),
).bind_in_scope
def patch_profile_attributes(request: ApiRequest[AttributeChanges], s: Scope) -> ApiResponse:
    return to_json_response(
        present_profile(actions.patch_attributes(s, request.path["profile_id"], request.body.attributes))
    )


@OperationDeclaration(
    "erase_profile",
    "DELETE",
    "profiles:write",
    "Erase a profile and everything it did",
    (
        ResponseSpec(
            ErasureResponse,
            {"erased_at": "2026-11-20T09:30:00Z", "rows": 27},
            description="Erased, and looked for again.",
        ),
    ),
    description=(
        "Also for a profile that is known by its events only; for an unknown one nothing is deleted. Events "
        "that arrive later with an earlier time are refused."
    ),
    error_codes=("conflict",),
).bind_without_scope
def erase_profile_data(request: ApiRequest[None]) -> ApiResponse:
    done = erase_profile(request.tenant, request.path["profile_id"], actor=request.actor)
    return to_json_response(ErasureResponse(done.erased_at, sum(done.deleted.values())))
