"""The address `profiles/{profile_id}`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import JsonBody, ResponseSpec, operation
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
    """Listed attributes are set, or removed if the value is null. Other attributes stay unchanged."""

    attributes: dict[Label, Attribute | None]


class ProfileResponse(ProfileInput, frozen=True, kw_only=True, omit_defaults=False):
    created_at: datetime
    updated_at: datetime
    events: int


class ErasureResponse(msgspec.Struct, frozen=True):
    """`rows` is the number of deleted database rows."""

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
    """Converts a stored profile to its response."""
    return ProfileResponse(
        **msgspec.structs.asdict(view.profile),
        created_at=view.created_at,
        updated_at=view.updated_at,
        events=view.events,
    )


@operation(
    name="put_profile",
    method="PUT",
    scope="profiles:write",
    summary="Add or replace a profile",
    responses=(ResponseSpec(ProfileResponse, _PROFILE, description="The profile as stored."),),
    body=JsonBody(ProfileBody, _BODY),
)
def put_profile(request: ApiRequest[ProfileBody], s: Scope) -> ApiResponse:
    """Stores a profile and returns it."""
    profile_id = request.path["profile_id"]
    # The id is part of the address, so the body has none.
    row = ProfileInput(id=profile_id, **msgspec.structs.asdict(request.body))
    result = actions.upsert_profiles(s, [row])
    if result.rejected:
        error = result.rejected[0]
        raise Invalid.from_field(error.pointer, error.code, error.detail)
    return to_json_response(present_profile(profiles.get_profile(s, profile_id)))


@operation(
    name="get_profile",
    method="GET",
    scope="profiles:read",
    summary="Read a profile",
    responses=(ResponseSpec(ProfileResponse, _PROFILE),),
    error_codes=("not_found",),
)
def get_profile(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns one profile."""
    return to_json_response(present_profile(profiles.get_profile(s, request.path["profile_id"])))


@operation(
    name="change_profile_attributes",
    method="PATCH",
    scope="profiles:write",
    summary="Change attributes of a profile",
    responses=(ResponseSpec(ProfileResponse, _PROFILE, description="The profile as stored."),),
    body=JsonBody(AttributeChanges, {"attributes": {"segment": "loyal", "age_band": None}}),
    error_codes=("not_found",),
)
def patch_profile_attributes(request: ApiRequest[AttributeChanges], s: Scope) -> ApiResponse:
    """Sets and removes attributes of a profile."""
    view = actions.patch_attributes(s, request.path["profile_id"], request.body.attributes)
    return to_json_response(present_profile(view))


@operation(
    name="erase_profile",
    method="DELETE",
    scope="profiles:write",
    summary="Erase a profile and everything it did",
    responses=(
        ResponseSpec(
            ErasureResponse,
            {"erased_at": "2026-11-20T09:30:00Z", "rows": 27},
            description="Erased; the deletion was verified.",
        ),
    ),
    description=(
        "Also erases a profile that has events but no attributes. For an unknown profile nothing is deleted. "
        "Events that arrive later with a time before the erasure are refused."
    ),
    error_codes=("conflict",),
    transaction=False,
)
def erase_profile_data(request: ApiRequest[None]) -> ApiResponse:
    """Erases a profile. It runs without a transaction here, because the erasure spans two databases."""
    # Row counts by table would show which kinds of data existed; only their sum is returned.
    erasure = erase_profile(request.tenant, request.path["profile_id"], actor=request.actor)
    return to_json_response(ErasureResponse(erasure.erased_at, sum(erasure.deleted.values())))
