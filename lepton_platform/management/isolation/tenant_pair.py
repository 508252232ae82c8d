"""Two tenants that mirror each other: the same ids, each with its own canary in everything that has text."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from uuid_utils.compat import uuid7

from lepton_platform.management.isolation.clients import ApiClient, ClientRequest
from recommender.registry.actions import publish_model
from recommender.registry.queries import get_active_number
from recommender.registry.types import TrainedModel
from tenants.control.actions import create_api_key, revoke_api_key
from tenants.control.api_scopes import API_SCOPES
from tenants.control.queries import list_tenants
from tenants.control.read_models import TenantView
from tenants.control.region_defaults import get_region_defaults
from tenants.privacy.onboarding import open_tenant
from tenants.scope import Actor, control_ops, control_scope, scope

ACTOR = Actor("system", "check_isolation")
PROBE_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR42mM8IWfDwMDAxMDAwMDAAAAOTgEmRbQBFQAAAABJRU5ErkJggg=="
)
TENANT_SLUGS = ("isolation-check-a", "isolation-check-b")


class ProbeSetupError(Exception):
    """The self-test's own data could not be stored; the message says what the API answered."""


@dataclass(frozen=True, slots=True)
class ProbeIds:
    """One value for each kind of id an operation may take."""

    item_id: str
    profile_id: str
    job_id: str
    version: str

    def get_id(self, name: str) -> str:
        """Raises AttributeError for a kind of id that this attack does not know."""
        return str(getattr(self, name))


@dataclass(frozen=True, slots=True)
class ProbeTenant:
    tenant: TenantView
    key: str
    key_id: str
    narrow_key: str
    narrow_key_id: str
    canary: str
    mirrored_ids: ProbeIds
    """Ids that the other tenant has too, where ids can be chosen."""
    private_ids: ProbeIds
    """Ids that only this tenant has."""


def prepare_tenants(region: str, client: ApiClient) -> tuple[ProbeTenant, ProbeTenant]:
    """Opens the two tenants at the first run and fills them through the API. Raises Refused."""
    first, second = (
        _fill_tenant(_ensure_tenant(slug, region), client, min_versions=n + 1)
        for n, slug in enumerate(TENANT_SLUGS)
    )
    return first, second


def revoke_keys(*probe_tenants: ProbeTenant) -> None:
    """The keys of this run stop working."""
    for space in probe_tenants:
        with control_scope(space.tenant.id, actor=ACTOR) as s:
            revoke_api_key(s, space.key_id)
            revoke_api_key(s, space.narrow_key_id)


def _ensure_tenant(slug: str, region: str) -> TenantView:
    slug = f"{slug}-{region}"
    with control_ops("self-test", actor=ACTOR, reason="find the tenants of the isolation check") as s:
        known = [tenant for tenant in list_tenants(s) if tenant.slug == slug]
    if known:
        return known[0]
    defaults = get_region_defaults(region)
    return open_tenant(
        name=slug.replace("-", " ").capitalize(),
        slug=slug,
        vertical="ecommerce",
        region=region,
        language=defaults.language,
        currency=defaults.currency,
        time_zone=defaults.time_zone,
        plan="enterprise",
        owner=None,
        actor=ACTOR,
    )


def _fill_tenant(tenant: TenantView, client: ApiClient, *, min_versions: int) -> ProbeTenant:
    with control_scope(tenant.id, actor=ACTOR) as s:
        key = create_api_key(s, name="Isolation check", scopes=API_SCOPES)
        narrow = create_api_key(s, name="Isolation check, narrow", scopes=["tenant:read"])
    canary, nonce = f"canary{secrets.token_hex(12)}", secrets.token_hex(4)
    chosen = {"own": ("mirror-item", "mirror-profile"), "private": (f"item-{nonce}", f"profile-{nonce}")}
    for item_id, profile_id in chosen.values():
        for request in build_content_requests(item_id, profile_id, canary):
            expect_success(client, request, key.secret)
    job_id = create_cancelled_job(client, key.secret)
    number = _publish_refused_versions(tenant, min_versions=min_versions)
    ids = {name: ProbeIds(*pair, job_id, str(number)) for name, pair in chosen.items()}
    return ProbeTenant(
        tenant, key.secret, key.key.id, narrow.secret, narrow.key.id, canary, ids["own"], ids["private"]
    )


def build_content_requests(item_id: str, profile_id: str, canary: str) -> list[ClientRequest]:
    """An item with an image, a profile, an event, a review and knowledge, the canary in every text: an image holds none."""
    item = {"id": item_id, "title": canary, "description": canary, "tags": [canary], "brand": canary}
    event = {"profile_id": profile_id, "item_id": item_id, "kind": "view", "value": 1}
    review = {"item_id": item_id, "profile_id": profile_id, "text": canary, "title": canary}
    rule = {"id": canary, "items": {"tags": {"eq": canary}}}
    triple = {"head": item_id, "relation": "like", "tail": canary}
    return [
        _build_json_request("POST", "/api/v1/items", {**item, "attributes": {"note": canary}}),
        ClientRequest("PUT", f"/api/v1/items/{item_id}/image", PROBE_PNG, "image/png"),
        _build_json_request("PUT", f"/api/v1/profiles/{profile_id}", {"attributes": {"note": canary}}),
        _build_json_request("POST", "/api/v1/events", {"events": [event]}),
        _build_json_request("POST", "/api/v1/reviews", {"reviews": [review]}),
        _build_json_request("PUT", "/api/v1/knowledge/rules", {"rules": [rule]}),
        _build_json_request("POST", "/api/v1/knowledge/triples", {"triples": [triple]}),
    ]


def create_cancelled_job(client: ApiClient, key: str) -> str:
    """A job that no worker will change any more."""
    job = json.loads(
        expect_success(client, _build_json_request("POST", "/api/v1/models/train", {"profile": "fast"}), key)
    )
    client(ClientRequest("POST", f"/api/v1/jobs/{job['id']}/cancel"), key=key)
    return str(job["id"])


def _publish_refused_versions(tenant: TenantView, *, min_versions: int) -> int:
    """A refused version: it can be read, and never serves. The number of the newest."""
    number = 0
    while number < min_versions:
        made = TrainedModel(
            job_id=uuid7(),
            artefact_id=uuid7(),
            profile="fast",
            manifest={},
            metrics={},
            trained_at=datetime.now(UTC),
            latest_event_at=None,
            refused=True,
            reason="Made by the isolation check.",
        )
        with scope(tenant.ref, actor=ACTOR) as s:
            number = publish_model(s, made, expected=get_active_number(s)).version
    return number


def expect_success(client: ApiClient, request: ClientRequest, key: str) -> bytes:
    """The body of a good answer. Raises Refused."""
    answer = client(request, key=key)
    if answer.status >= 300:
        text = answer.body[:300].decode(errors="replace")
        raise ProbeSetupError(f"{request.method} {request.path} answered {answer.status}: {text}")
    return answer.body


def _build_json_request(method: str, path: str, body: Mapping[str, Any]) -> ClientRequest:
    return ClientRequest(method, path, json.dumps(body).encode())
