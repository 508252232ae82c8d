"""What a stranger may know of the other tenant, and the same shapes of things that nobody has."""

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
    """One thing of each kind that a request can name; `word` is text that stands in all of them."""

    ids: ProbeIds
    review_id: str
    event_id: str
    recommendation_id: str
    key: str
    """Idempotency keys start with it."""
    key_id: str
    user_id: str
    email: str
    tenant_id: str
    slug: str
    word: str
    part: str
    """Of the word: enough to find it."""
    cursors: Mapping[str, str]

    def key_for(self, operation: str) -> str:
        return f"{self.key}-{operation}"


def targets(door: ApiClient, victim: ProbeTenant, count: int) -> list[Target]:
    """Makes `count` of everything in the victim's space, each with the canary; the victim asks once with every key."""
    served = list_operations(door)
    made = [_target(door, victim, secrets.token_hex(8), served) for _ in range(count)]
    return [replace(one, user_id=str(member(victim).pk), email=member(victim).email) for one in made]


def member(space: ProbeTenant) -> User:
    """An owner of this tenant, and of no other, with the canary as a name."""
    email = f"{secrets.token_hex(8)}@example.com"
    user = create_user(email=email, name=space.canary, actor=tenant_pair.ACTOR)
    with control_scope(space.tenant.id, actor=tenant_pair.ACTOR) as s:
        add_member(s, user, "owner")
    return user


def _target(door: ApiClient, victim: ProbeTenant, name: str, served: Sequence[AttackedOperation]) -> Target:
    """The victim reads it all once: what a process remembers of an answer, it remembers now."""
    ids = ProbeIds(
        f"item-{name}",
        f"profile-{name}",
        tenant_pair.create_cancelled_job(door, victim.key),
        victim.private_ids.version,
    )
    bare = Target(
        ids=ids,
        review_id=f"review-{name}",
        event_id=f"event-{name}",
        recommendation_id="",
        key=f"key-{name}",
        key_id=victim.key_id,
        user_id="",
        email="",
        tenant_id=str(victim.tenant.id),
        slug=victim.tenant.slug,
        word=victim.canary,
        part=victim.canary[:18],
        cursors={
            one: str(pagination.encode_cursor(victim.tenant.id, one, _position(one))) for one in LISTINGS
        },
    )
    for operation in served:
        if operation.method == "POST" and operation.name not in ("train_model", "roll_back_model"):
            asked = operation.build_request(ids)
            door(replace(asked, headers={"Idempotency-Key": bare.key_for(operation.name)}), key=victim.key)
    for request in [
        *tenant_pair.build_content_requests(ids.item_id, ids.profile_id, victim.canary),
        *_named(bare),
    ]:
        tenant_pair.expect_success(door, request, victim.key)
    question = ClientRequest(
        "POST", "/api/v1/recommendations", json.dumps({"profile_id": ids.profile_id}).encode()
    )
    for operation in served:
        if operation.method == "GET":
            tenant_pair.expect_success(door, operation.build_request(ids), victim.key)
    answer = json.loads(tenant_pair.expect_success(door, question, victim.key))
    return replace(bare, recommendation_id=answer["recommendation_id"])


def _position(listing: str) -> str:
    """A place in a list at which the attacker has rows behind it too."""
    return {"items": "0", "jobs": str(UUID(int=2**128 - 1)), "reviews": "2100-01-01T00:00:00+00:00 ff"}[
        listing
    ]


def _named(target: Target) -> list[ClientRequest]:
    """An event and a review whose ids the client chose."""
    about = {"profile_id": target.ids.profile_id, "item_id": target.ids.item_id}
    event = {**about, "kind": "view", "id": target.event_id}
    review = {**about, "text": target.word, "id": target.review_id}
    return [
        ClientRequest("POST", f"/api/v1/{name}", json.dumps({name: [row]}).encode())
        for name, row in (("events", event), ("reviews", review))
    ]


def absent_like(target: Target) -> Target:
    """As long as the target in every part, and nobody's."""
    word = "canary" + secrets.token_hex(12)
    name = secrets.token_hex(8)
    return Target(
        ids=ProbeIds(f"item-{name}", f"profile-{name}", str(uuid4()), "999999999"),
        review_id=f"review-{name}",
        event_id=f"event-{name}",
        recommendation_id=str(uuid4()),
        key=f"key-{name}",
        key_id=secrets.token_hex(16)[: len(target.key_id)],
        user_id=str(uuid4()),
        email=f"{secrets.token_hex(16)}@example.com"[-len(target.email) :],
        tenant_id=str(uuid4()),
        slug=f"isolation-check-{secrets.token_hex(8)}"[: len(target.slug)],
        word=word,
        part=word[:18],
        cursors=dict.fromkeys(LISTINGS, _unsigned_cursor()),
    )


def _unsigned_cursor() -> str:
    return base64.urlsafe_b64encode(f"0:{secrets.token_urlsafe(32)}".encode()).decode().rstrip("=")
