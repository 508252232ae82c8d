"""Objects of the other tenant that a stranger may know, and objects of the same form that do not exist."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from lepton_platform.api import pagination
from lepton_platform.management.isolation import tenant_pair
from lepton_platform.management.isolation.attack import AttackedOperation, list_operations
from lepton_platform.management.isolation.clients import ApiClient, ClientRequest
from lepton_platform.management.isolation.tenant_pair import ProbeIds, ProbeTenant
from tenants.control.actions import add_member, create_user
from tenants.control.models import User
from tenants.scope import control_scope

LISTINGS = ("items", "jobs", "reviews")


@dataclass(frozen=True, slots=True)
class Target:
    """One object of each kind that a request can name; all of them contain `canary`."""

    ids: ProbeIds
    review_id: str
    event_id: str
    recommendation_id: str
    idempotency_prefix: str
    """The prefix of the idempotency keys."""
    key_id: str
    user_id: str
    email: str
    tenant_id: str
    slug: str
    canary: str
    canary_prefix: str
    """A part of the canary that suffices for a search."""
    cursors: Mapping[str, str]

    def build_idempotency_key(self, operation: str) -> str:
        return f"{self.idempotency_prefix}-{operation}"


def create_targets(client: ApiClient, victim: ProbeTenant, count: int) -> list[Target]:
    """Creates `count` targets in the victim's tenant; the victim uses every idempotency key once."""
    operations = list_operations(client)
    created = [_create_target(client, victim, secrets.token_hex(8), operations) for _ in range(count)]
    return [
        replace(target, user_id=str(create_member(victim).pk), email=create_member(victim).email)
        for target in created
    ]


def create_member(tenant: ProbeTenant) -> User:
    """Creates an owner of this tenant only, with the canary as the name."""
    email = f"{secrets.token_hex(8)}@example.com"
    user = create_user(email=email, name=tenant.canary, actor=tenant_pair.ACTOR)
    with control_scope(tenant.tenant.id, actor=tenant_pair.ACTOR) as s:
        add_member(s, user, "owner")
    return user


def _create_target(
    client: ApiClient, victim: ProbeTenant, name: str, operations: Sequence[AttackedOperation]
) -> Target:
    """The victim reads all objects once, so that every cache of the process is filled."""
    ids = ProbeIds(
        f"item-{name}",
        f"profile-{name}",
        tenant_pair.create_cancelled_job(client, victim.key),
        victim.private_ids.version,
    )
    target = Target(
        ids=ids,
        review_id=f"review-{name}",
        event_id=f"event-{name}",
        recommendation_id="",
        idempotency_prefix=f"key-{name}",
        key_id=victim.key_id,
        user_id="",
        email="",
        tenant_id=str(victim.tenant.id),
        slug=victim.tenant.slug,
        canary=victim.canary,
        canary_prefix=victim.canary[:18],
        cursors={
            listing: str(pagination.encode_cursor(victim.tenant.id, listing, _build_position(listing)))
            for listing in LISTINGS
        },
    )
    for operation in operations:
        if operation.method == "POST" and operation.name not in ("train_model", "roll_back_model"):
            request = operation.build_request(ids)
            client(
                replace(request, headers={"Idempotency-Key": target.build_idempotency_key(operation.name)}),
                key=victim.key,
            )
    for request in [
        *tenant_pair.build_content_requests(ids.item_id, ids.profile_id, victim.canary),
        *_build_named_requests(target),
    ]:
        tenant_pair.expect_success(client, request, victim.key)
    recommendation_request = ClientRequest(
        "POST", "/api/v1/recommendations", json.dumps({"profile_id": ids.profile_id}).encode()
    )
    for operation in operations:
        if operation.method == "GET":
            tenant_pair.expect_success(client, operation.build_request(ids), victim.key)
    answer = json.loads(tenant_pair.expect_success(client, recommendation_request, victim.key))
    return replace(target, recommendation_id=answer["recommendation_id"])


def _build_position(listing: str) -> str:
    """A position in a list after which the attacker has rows too."""
    return {"items": "0", "jobs": str(UUID(int=2**128 - 1)), "reviews": "2100-01-01T00:00:00+00:00 ff"}[
        listing
    ]


def _build_named_requests(target: Target) -> list[ClientRequest]:
    """An event and a review whose ids the client chose."""
    names = {"profile_id": target.ids.profile_id, "item_id": target.ids.item_id}
    event = {**names, "kind": "view", "id": target.event_id}
    review = {**names, "text": target.canary, "id": target.review_id}
    return [
        ClientRequest("POST", f"/api/v1/{name}", json.dumps({name: [row]}).encode())
        for name, row in (("events", event), ("reviews", review))
    ]


def build_absent_target(target: Target) -> Target:
    """A target of objects that do not exist, with identifiers as long as those of `target`."""
    canary = "canary" + secrets.token_hex(12)
    name = secrets.token_hex(8)
    return Target(
        ids=ProbeIds(f"item-{name}", f"profile-{name}", str(uuid4()), "999999999"),
        review_id=f"review-{name}",
        event_id=f"event-{name}",
        recommendation_id=str(uuid4()),
        idempotency_prefix=f"key-{name}",
        key_id=secrets.token_hex(16)[: len(target.key_id)],
        user_id=str(uuid4()),
        email=f"{secrets.token_hex(16)}@example.com"[-len(target.email) :],
        tenant_id=str(uuid4()),
        slug=f"isolation-check-{secrets.token_hex(8)}"[: len(target.slug)],
        canary=canary,
        canary_prefix=canary[:18],
        cursors=dict.fromkeys(LISTINGS, _build_unsigned_cursor()),
    )


def _build_unsigned_cursor() -> str:
    return base64.urlsafe_b64encode(f"0:{secrets.token_urlsafe(32)}".encode()).decode().rstrip("=")
