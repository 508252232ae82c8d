from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from lepton_platform.api.call import Call, Reply, reply
from lepton_platform.api.operations import Answer, Declared, Json
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


class Profile(ProfileInput, frozen=True, kw_only=True, omit_defaults=False):
    created_at: datetime
    updated_at: datetime
    events: int


class Erased(msgspec.Struct, frozen=True):
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


def present(view: ProfileView) -> Profile:
    return Profile(
        **msgspec.structs.asdict(view.profile),
        created_at=view.created_at,
        updated_at=view.updated_at,
        events=view.events,
    )


@Declared(
    "put_profile",
    "PUT",
    "profiles:write",
    "Add or replace a profile",
    (Answer(Profile, _PROFILE, means="The profile as stored."),),
    body=Json(ProfileBody, _BODY),
).inside
def put(call: Call[ProfileBody], s: Scope) -> Reply:
    wanted = call.path["profile_id"]
    row = ProfileInput(id=wanted, **msgspec.structs.asdict(call.body))
    result = actions.upsert_profiles(s, [row])
    if result.rejected:
        raise Invalid.at(result.rejected[0].pointer, result.rejected[0].code, result.rejected[0].detail)
    return reply(present(profiles.profile(s, wanted)))


@Declared(
    "get_profile",
    "GET",
    "profiles:read",
    "Read a profile",
    (Answer(Profile, _PROFILE),),
    codes=("not_found",),
).inside
def get(call: Call[None], s: Scope) -> Reply:
    return reply(present(profiles.profile(s, call.path["profile_id"])))


@Declared(
    "change_profile_attributes",
    "PATCH",
    "profiles:write",
    "Change attributes of a profile",
    (Answer(Profile, _PROFILE, means="The profile as stored."),),
    body=Json(AttributeChanges, {"attributes": {"segment": "loyal", "age_band": None}}),
    codes=("not_found",),
).inside
def patch(call: Call[AttributeChanges], s: Scope) -> Reply:
    return reply(present(actions.patch_attributes(s, call.path["profile_id"], call.body.attributes)))


@Declared(
    "erase_profile",
    "DELETE",
    "profiles:write",
    "Erase a profile and everything it did",
    (
        Answer(
            Erased, {"erased_at": "2026-11-20T09:30:00Z", "rows": 27}, means="Erased, and looked for again."
        ),
    ),
    about=(
        "Also for a profile that is known by its events only; for an unknown one nothing is deleted. Events "
        "that arrive later with an earlier time are refused."
    ),
    codes=("conflict",),
).outside
def erase(call: Call[None]) -> Reply:
    done = erase_profile(call.tenant, call.path["profile_id"], actor=call.actor)
    return reply(Erased(done.erased_at, sum(done.deleted.values())))
