from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from lepton_platform.api.call import Call, Reply, reply
from lepton_platform.api.operations import Answer, Declared, Json
from tenants.control.plans import plan
from tenants.data.actions import space as actions
from tenants.data.queries import catalog, profiles, space
from tenants.data.types import Label, PrivacySettings
from tenants.scope import Scope


class Limits(msgspec.Struct, frozen=True):
    requests_per_second: int
    request_burst: int
    events_per_day: int
    catalogue_items: int
    profiles: int


class Usage(msgspec.Struct, frozen=True):
    live_items: int
    items: int
    profiles: int


class Tenant(msgspec.Struct, frozen=True):
    slug: str
    region: str
    vertical: str
    plan: str
    limits: Limits
    usage: Usage
    event_kinds: dict[str, float]
    catalogue_version: int


class PrivacyChanges(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What is left out stays. Settings may be tightened, not loosened below the vertical's defaults."""

    basis: Literal["notice", "opt_in"] | msgspec.UnsetType = msgspec.UNSET
    personalisation: Literal["on", "off"] | msgspec.UnsetType = msgspec.UNSET
    events_kept_for_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | msgspec.UnsetType = msgspec.UNSET
    features_denied: Annotated[list[Label], msgspec.Meta(max_length=200)] | msgspec.UnsetType = msgspec.UNSET
    report_minimum_count: Annotated[int, msgspec.Meta(ge=1, le=1000)] | msgspec.UnsetType = msgspec.UNSET


_TENANT = {
    "slug": "mugs",
    "region": "eu",
    "vertical": "ecommerce",
    "plan": "growth",
    "limits": {
        "requests_per_second": 200,
        "request_burst": 400,
        "events_per_day": 20_000_000,
        "catalogue_items": 500_000,
        "profiles": 5_000_000,
    },
    "usage": {"live_items": 1840, "items": 1902, "profiles": 22_407},
    "event_kinds": {"view": 1.0, "purchase": 5.0, "dismiss": -1.0},
    "catalogue_version": 42,
}
_PRIVACY = {
    "basis": "opt_in",
    "personalisation": "on",
    "events_kept_for_days": 180,
    "features_denied": ["health", "religion"],
    "report_minimum_count": 10,
}


@Declared(
    "get_tenant", "GET", "tenant:read", "Read the tenant, its limits and its use", (Answer(Tenant, _TENANT),)
).inside
def get(call: Call[None], s: Scope) -> Reply:
    state, (live, items) = space.state(s), catalog.counts(s)
    return reply(
        Tenant(
            slug=call.caller.tenant_slug,
            region=call.tenant.region,
            vertical=call.caller.vertical,
            plan=call.caller.plan,
            limits=msgspec.convert(plan(call.caller.plan), Limits, from_attributes=True),
            usage=Usage(live, items, profiles.count(s)),
            event_kinds={name: kind.weight for name, kind in state.event_kinds.items()},
            catalogue_version=state.catalogue_version,
        )
    )


@Declared(
    "get_privacy", "GET", "tenant:read", "Read the privacy settings", (Answer(PrivacySettings, _PRIVACY),)
).inside
def get_privacy(_call: Call[None], s: Scope) -> Reply:
    return reply(space.state(s).privacy)


@Declared(
    "change_privacy",
    "PATCH",
    "tenant:write",
    "Change the privacy settings",
    (Answer(PrivacySettings, _PRIVACY, means="The settings as stored."),),
    body=Json(PrivacyChanges, {"events_kept_for_days": 90, "personalisation": "off"}),
).inside
def change_privacy(call: Call[PrivacyChanges], s: Scope) -> Reply:
    changes = msgspec.to_builtins(call.body)
    settings = msgspec.structs.replace(space.state(s).privacy, **changes)
    return reply(actions.update_privacy(s, settings).privacy)
