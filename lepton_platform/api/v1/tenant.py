"""The addresses `tenant` and `tenant/privacy`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from lepton_platform.api.messages import ApiRequest, ApiResponse, to_json_response
from lepton_platform.api.operations import JsonBody, ResponseSpec, operation
from tenants.control.plans import get_plan
from tenants.data.actions import tenant_settings as actions
from tenants.data.queries import catalog, profiles, tenant_state
from tenants.data.types import Label, PrivacySettings
from tenants.scope import Scope


class TenantLimits(msgspec.Struct, frozen=True):
    requests_per_second: int
    request_burst: int
    events_per_day: int
    catalogue_items: int
    profiles: int


class TenantUsage(msgspec.Struct, frozen=True):
    live_items: int
    items: int
    profiles: int


class TenantResponse(msgspec.Struct, frozen=True):
    slug: str
    region: str
    vertical: str
    plan: str
    limits: TenantLimits
    usage: TenantUsage
    event_kinds: dict[str, float]
    catalogue_version: int


class PrivacyChanges(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Omitted settings stay unchanged. Settings can be made stricter, but not less strict than the vertical's defaults."""

    basis: Literal["notice", "opt_in"] | msgspec.UnsetType = msgspec.UNSET
    personalisation: Literal["on", "off"] | msgspec.UnsetType = msgspec.UNSET
    event_retention_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | msgspec.UnsetType = msgspec.UNSET
    denied_attributes: Annotated[list[Label], msgspec.Meta(max_length=200)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    report_min_count: Annotated[int, msgspec.Meta(ge=1, le=1000)] | msgspec.UnsetType = msgspec.UNSET


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
    "event_retention_days": 180,
    "denied_attributes": ["health", "religion"],
    "report_min_count": 10,
}


@operation(
    name="get_tenant",
    method="GET",
    scope="tenant:read",
    summary="Read the tenant, its limits and its usage",
    responses=(ResponseSpec(TenantResponse, _TENANT),),
)
def get_tenant(request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns the tenant with its limits and usage."""
    state = tenant_state.get_state(s)
    live, items = catalog.count_items(s)
    return to_json_response(
        TenantResponse(
            slug=request.caller.tenant_slug,
            region=request.tenant.region,
            vertical=request.caller.vertical,
            plan=request.caller.plan,
            # Copies the fields of the plan that the response declares.
            limits=msgspec.convert(get_plan(request.caller.plan), TenantLimits, from_attributes=True),
            usage=TenantUsage(live, items, profiles.count_profiles(s)),
            event_kinds={name: kind.weight for name, kind in state.event_kinds.items()},
            catalogue_version=state.catalogue_version,
        )
    )


@operation(
    name="get_privacy",
    method="GET",
    scope="tenant:read",
    summary="Read the privacy settings",
    responses=(ResponseSpec(PrivacySettings, _PRIVACY),),
)
def get_privacy(_request: ApiRequest[None], s: Scope) -> ApiResponse:
    """Returns the privacy settings."""
    return to_json_response(tenant_state.get_state(s).privacy)


@operation(
    name="change_privacy",
    method="PATCH",
    scope="tenant:write",
    summary="Change the privacy settings",
    responses=(ResponseSpec(PrivacySettings, _PRIVACY, description="The settings as stored."),),
    body=JsonBody(PrivacyChanges, {"event_retention_days": 90, "personalisation": "off"}),
)
def update_privacy(request: ApiRequest[PrivacyChanges], s: Scope) -> ApiResponse:
    """Changes the given privacy settings."""
    # UNSET fields are left out, so that replace() keeps their stored values.
    changes = msgspec.to_builtins(request.body)
    settings = msgspec.structs.replace(tenant_state.get_state(s).privacy, **changes)
    return to_json_response(actions.update_privacy(s, settings).privacy)
