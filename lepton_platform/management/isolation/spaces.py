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

from lepton_platform.management.isolation.doors import Door, Request
from recommender.registry.actions import publish
from recommender.registry.queries import active_number
from recommender.registry.types import Trained
from tenants.control.actions import create_api_key, revoke_api_key
from tenants.control.api_scopes import API_SCOPES
from tenants.control.queries import tenant_directory
from tenants.control.region_defaults import region_defaults
from tenants.control.results import TenantView
from tenants.privacy.onboarding import open_tenant
from tenants.scope import Actor, control_ops, control_scope, scope

ACTOR = Actor("system", "check_isolation")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR42mM8IWfDwMDAxMDAwMDAAAAOTgEmRbQBFQAAAABJRU5ErkJggg=="
)
SLUGS = ("isolation-check-a", "isolation-check-b")


class Refused(Exception):
    """The self-test's own data could not be stored; the message says what the API answered."""


@dataclass(frozen=True, slots=True)
class Ids:
    """One value for each kind of id an operation may take."""

    item_id: str
    profile_id: str
    job_id: str
    version: str

    def of(self, name: str) -> str:
        """Raises AttributeError for a kind of id that this attack does not know."""
        return str(getattr(self, name))


@dataclass(frozen=True, slots=True)
class Space:
    tenant: TenantView
    key: str
    key_id: str
    narrow_key: str
    narrow_key_id: str
    canary: str
    own: Ids
    """Ids that the other tenant has too, where ids can be chosen."""
    private: Ids
    """Ids that only this tenant has."""


def prepare(region: str, door: Door) -> tuple[Space, Space]:
    """Opens the two tenants at the first run and fills them through the API. Raises Refused."""
    first, second = (_fill(_tenant(slug, region), door, versions=n + 1) for n, slug in enumerate(SLUGS))
    return first, second


def close(*spaces: Space) -> None:
    """The keys of this run stop working."""
    for space in spaces:
        with control_scope(space.tenant.id, actor=ACTOR) as s:
            revoke_api_key(s, space.key_id)
            revoke_api_key(s, space.narrow_key_id)


def _tenant(slug: str, region: str) -> TenantView:
    slug = f"{slug}-{region}"
    with control_ops("self-test", actor=ACTOR, reason="find the tenants of the isolation check") as s:
        known = [tenant for tenant in tenant_directory(s) if tenant.slug == slug]
    if known:
        return known[0]
    defaults = region_defaults(region)
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


def _fill(tenant: TenantView, door: Door, *, versions: int) -> Space:
    with control_scope(tenant.id, actor=ACTOR) as s:
        key = create_api_key(s, name="Isolation check", scopes=API_SCOPES)
        narrow = create_api_key(s, name="Isolation check, narrow", scopes=["tenant:read"])
    canary, nonce = f"canary{secrets.token_hex(12)}", secrets.token_hex(4)
    chosen = {"own": ("mirror-item", "mirror-profile"), "private": (f"item-{nonce}", f"profile-{nonce}")}
    for item_id, profile_id in chosen.values():
        for request in content(item_id, profile_id, canary):
            expect(door, request, key.secret)
    job_id = cancelled_job(door, key.secret)
    number = _version(tenant, least=versions)
    ids = {name: Ids(*pair, job_id, str(number)) for name, pair in chosen.items()}
    return Space(
        tenant, key.secret, key.key.id, narrow.secret, narrow.key.id, canary, ids["own"], ids["private"]
    )


def content(item_id: str, profile_id: str, canary: str) -> list[Request]:
    """An item with an image, a profile, an event, a review and knowledge, the canary in every text: an image holds none."""
    item = {"id": item_id, "title": canary, "description": canary, "tags": [canary], "brand": canary}
    event = {"profile_id": profile_id, "item_id": item_id, "kind": "view", "value": 1}
    review = {"item_id": item_id, "profile_id": profile_id, "text": canary, "title": canary}
    rule = {"id": canary, "items": {"tags": {"eq": canary}}}
    triple = {"head": item_id, "relation": "like", "tail": canary}
    return [
        _json("POST", "/api/v1/items", {**item, "attributes": {"note": canary}}),
        Request("PUT", f"/api/v1/items/{item_id}/image", PNG, "image/png"),
        _json("PUT", f"/api/v1/profiles/{profile_id}", {"attributes": {"note": canary}}),
        _json("POST", "/api/v1/events", {"events": [event]}),
        _json("POST", "/api/v1/reviews", {"reviews": [review]}),
        _json("PUT", "/api/v1/knowledge/rules", {"rules": [rule]}),
        _json("POST", "/api/v1/knowledge/triples", {"triples": [triple]}),
    ]


def cancelled_job(door: Door, key: str) -> str:
    """A job that no worker will change any more."""
    job = json.loads(expect(door, _json("POST", "/api/v1/models/train", {"profile": "fast"}), key))
    door(Request("POST", f"/api/v1/jobs/{job['id']}/cancel"), key=key)
    return str(job["id"])


def _version(tenant: TenantView, *, least: int) -> int:
    """A refused version: it can be read, and never serves. The number of the newest."""
    number = 0
    while number < least:
        made = Trained(
            job_id=uuid7(),
            artefact_id=uuid7(),
            profile="fast",
            manifest={},
            metrics={},
            trained_at=datetime.now(UTC),
            data_until=None,
            refused=True,
            reason="Made by the isolation check.",
        )
        with scope(tenant.ref, actor=ACTOR) as s:
            number = publish(s, made, expected=active_number(s)).version
    return number


def expect(door: Door, request: Request, key: str) -> bytes:
    """The body of a good answer. Raises Refused."""
    answer = door(request, key=key)
    if answer.status >= 300:
        text = answer.body[:300].decode(errors="replace")
        raise Refused(f"{request.method} {request.path} answered {answer.status}: {text}")
    return answer.body


def _json(method: str, path: str, body: Mapping[str, Any]) -> Request:
    return Request(method, path, json.dumps(body).encode())
