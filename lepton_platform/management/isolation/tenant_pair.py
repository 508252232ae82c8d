"""The two tenants of the check: both have the same ids, and each has its own canary text in every field."""

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
from lepton_platform.tasks.tenants import get_view_by_slug
from recommender.registry.actions import publish_model
from recommender.registry.queries import get_active_number
from recommender.registry.types import TrainedModel
from tenants.control.actions import create_api_key, revoke_api_key
from tenants.control.api_scopes import API_SCOPES
from tenants.control.read_models import TenantView
from tenants.control.region_defaults import get_region_defaults
from tenants.errors import NotFound
from tenants.privacy.onboarding import open_tenant
from tenants.scope import Actor, control_scope, scope

ACTOR = Actor("system", "check_isolation")
PROBE_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR42mM8IWfDwMDAxMDAwMDAAAAOTgEmRbQBFQAAAABJRU5ErkJggg=="
)
TENANT_SLUGS = ("isolation-check-a", "isolation-check-b")


class ProbeSetupError(Exception):
    """The probe data could not be stored; the message contains the API's response."""


@dataclass(frozen=True, slots=True)
class ProbeIds:
    """One value for each kind of id that an operation may take."""

    item_id: str
    profile_id: str
    job_id: str
    version: str

    def get_id(self, name: str) -> str:
        """The id for a path parameter. Raises AttributeError for an unknown kind of id."""
        return str(getattr(self, name))


@dataclass(frozen=True, slots=True)
class ProbeTenant:
    """A filled tenant. `key` has all scopes, `narrow_key` has `tenant:read` only."""

    tenant: TenantView
    key: str
    key_id: str
    narrow_key: str
    narrow_key_id: str
    canary: str
    mirrored_ids: ProbeIds
    """Ids that the other tenant has too (item and profile; the server chooses the others)."""
    private_ids: ProbeIds
    """Ids that only this tenant has."""


def prepare_tenants(region: str, client: ApiClient) -> tuple[ProbeTenant, ProbeTenant]:
    """Opens the two tenants at the first run and fills them through the API.

    Returns:
        Attacker and victim.

    Raises:
        ProbeSetupError: the API refuses probe data.
    """
    attacker_slug, victim_slug = TENANT_SLUGS
    # Different numbers of versions: the victim's newest version is one that the attacker does not have.
    attacker = _fill_tenant(_ensure_tenant(attacker_slug, region), client, min_versions=1)
    victim = _fill_tenant(_ensure_tenant(victim_slug, region), client, min_versions=2)
    return attacker, victim


def revoke_keys(*probe_tenants: ProbeTenant) -> None:
    """Revokes the API keys of this run."""
    for probe in probe_tenants:
        with control_scope(probe.tenant.id, actor=ACTOR) as s:
            revoke_api_key(s, probe.key_id)
            revoke_api_key(s, probe.narrow_key_id)


def _ensure_tenant(slug: str, region: str) -> TenantView:
    slug = f"{slug}-{region}"
    try:
        return get_view_by_slug(slug, reason="find the tenants of the isolation check")
    except NotFound:
        return _open_tenant(slug, region)


def _open_tenant(slug: str, region: str) -> TenantView:
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
    # Random, so that the text can't occur in a response by chance.
    canary, nonce = f"canary{secrets.token_hex(12)}", secrets.token_hex(4)
    mirrored = ("mirror-item", "mirror-profile")
    private = (f"item-{nonce}", f"profile-{nonce}")
    for item_id, profile_id in (mirrored, private):
        for request in build_content_requests(item_id, profile_id, canary):
            expect_success(client, request, key.secret)
    job_id = create_cancelled_job(client, key.secret)
    version = str(_publish_refused_versions(tenant, min_versions=min_versions))
    return ProbeTenant(
        tenant=tenant,
        key=key.secret,
        key_id=key.key.id,
        narrow_key=narrow.secret,
        narrow_key_id=narrow.key.id,
        canary=canary,
        mirrored_ids=ProbeIds(*mirrored, job_id, version),
        private_ids=ProbeIds(*private, job_id, version),
    )


def build_content_requests(item_id: str, profile_id: str, canary: str) -> list[ClientRequest]:
    """Requests that store an item with an image, a profile, an event, a review, a rule and a triple.

    Every text is the canary; the image can't contain it.
    """
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
    """Requests a training and cancels it, so that no worker changes the job any more; returns its id."""
    job = json.loads(
        expect_success(client, _build_json_request("POST", "/api/v1/models/train", {"profile": "fast"}), key)
    )
    client(ClientRequest("POST", f"/api/v1/jobs/{job['id']}/cancel"), key=key)
    return str(job["id"])


def _publish_refused_versions(tenant: TenantView, *, min_versions: int) -> int:
    """Publishes refused versions, which can be read but are never activated; returns the newest number."""
    number = 0
    while number < min_versions:
        model = TrainedModel(
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
            number = publish_model(s, model, expected=get_active_number(s)).version
    return number


def expect_success(client: ApiClient, request: ClientRequest, key: str) -> bytes:
    """Sends a request and returns the body of its 2xx response. Raises ProbeSetupError."""
    response = client(request, key=key)
    if not response.is_success:
        text = response.get_text(300)
        raise ProbeSetupError(f"{request.method} {request.path} answered {response.status}: {text}")
    return response.body


def _build_json_request(method: str, path: str, body: Mapping[str, Any]) -> ClientRequest:
    return ClientRequest(method, path, json.dumps(body).encode())
