"""Every variant of an API request in which a stranger names another tenant's objects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from lepton_platform.management.isolation.attack import AttackedOperation
from lepton_platform.management.isolation.clients import ClientRequest
from tests.stranger.spellings import SPELLINGS, Spelling
from tests.stranger.targets import Target

RequestVariant = Callable[[AttackedOperation, Target], ClientRequest]
MIRRORED_ITEM, MIRRORED_PROFILE = "mirror-item", "mirror-profile"

_BODIES: Mapping[str, list[Callable[[Target], Any]]] = {
    "recommend": [
        lambda t: {"profile_id": t.ids.profile_id, "reasons": True},
        lambda t: {"session": [t.ids.item_id], "k": 100, "reasons": True},
        lambda t: {"profile_id": MIRRORED_PROFILE, "session": [MIRRORED_ITEM, t.ids.item_id]},
        lambda t: {"profile_id": MIRRORED_PROFILE, "exclude": [t.ids.item_id]},
        lambda t: {"exclude": [MIRRORED_ITEM, t.ids.item_id, t.ids.profile_id], "k": 100},
        lambda t: {"filter": {"brand": {"eq": t.canary}}},
        lambda t: {"filter": {"tags": {"in": [t.canary]}, "attributes.note": {"in": [t.canary]}}},
        lambda t: {"filter": {"attributes.tenant_id": {"eq": t.tenant_id}}, "exclude": [MIRRORED_ITEM]},
        lambda t: {"filter": {"id": {"in": [t.ids.item_id]}}},
        lambda t: {"scenario": t.ids.item_id},
        lambda t: {"profile_id": MIRRORED_PROFILE, "tenant_id": t.tenant_id},
    ],
    "record_events": [
        lambda t: _build_event_body(t.ids.profile_id, MIRRORED_ITEM),
        lambda t: _build_event_body(MIRRORED_PROFILE, t.ids.item_id),
        lambda t: _build_event_body(MIRRORED_PROFILE, MIRRORED_ITEM, id=t.event_id, at="2026-01-01T00:00:00Z"),
        lambda t: _build_event_body(MIRRORED_PROFILE, MIRRORED_ITEM, recommendation_id=t.recommendation_id, kind="click"),
        lambda t: _build_event_body(t.ids.profile_id, MIRRORED_ITEM, recommendation_id=t.recommendation_id),
        lambda t: _build_event_body(None, MIRRORED_ITEM, session_id=t.ids.profile_id),
        lambda t: _build_event_body(MIRRORED_PROFILE, MIRRORED_ITEM, tenant_id=t.tenant_id),
    ],
    "record_reviews": [
        lambda t: _build_review_body(MIRRORED_PROFILE, MIRRORED_ITEM, id=t.review_id),
        lambda t: _build_review_body(t.ids.profile_id, MIRRORED_ITEM, id=t.review_id),
        lambda t: _build_review_body(t.ids.profile_id, t.ids.item_id, id=t.review_id),
        lambda t: _build_review_body(MIRRORED_PROFILE, MIRRORED_ITEM, tenant=t.slug),
    ],
    "upsert_item": [
        lambda t: {"id": t.ids.item_id, "title": "probe", "tenant_id": t.tenant_id},
        lambda t: {"id": t.ids.item_id, "title": "probe", "item_no": 1, "tenant": t.slug},
        lambda t: {"id": t.ids.item_id.upper()},
        lambda t: {"id": f"{t.slug}/{t.ids.item_id}"},
    ],
    "upsert_items": [
        lambda t: {"items": [{"id": t.ids.item_id}, {"id": t.ids.item_id + " "}]},
        lambda t: {"items": [{"id": t.ids.item_id, "tenant_id": t.tenant_id}]},
        lambda t: {"items": [{"id": t.ids.item_id}], "tenant": t.slug},
    ],
    "put_profile": [
        lambda _: {"attributes": {"probe": 3}, "consent": "granted"},
        lambda t: {"tenant_id": t.tenant_id},
        lambda t: {"id": t.ids.profile_id},
    ],
    "change_profile_attributes": [
        lambda _: {"attributes": {"note": None}},
        lambda t: {"attributes": {"probe": 4}, "tenant_id": t.tenant_id},
    ],
    "train_model": [lambda t: {"profile": "fast", "tenant_id": t.tenant_id}],
    "change_privacy": [lambda t: {"tenant_id": t.tenant_id}, lambda t: {"slug": t.slug}],
}  # fmt: skip

_QUERIES: list[Callable[[Target], Mapping[str, str]]] = [
    lambda t: {"cursor": t.cursors["items"]},
    lambda t: {"cursor": t.cursors["jobs"]},
    lambda t: {"cursor": t.cursors["reviews"]},
    lambda t: {"search": t.canary},
    lambda t: {"search": t.ids.item_id},
    lambda t: {"tenant": t.slug},
    lambda t: {"tenant_id": t.tenant_id},
    lambda t: {"slug": t.slug, "region": "eu"},
    lambda t: {"item_id": t.ids.item_id, "profile_id": t.ids.profile_id},
    lambda t: {"id": t.ids.job_id, "version": t.ids.version, "k": "100"},
    lambda t: {"key": t.key_id, "user": t.user_id},
    lambda t: {"limit": "200", "after": t.ids.item_id},
]

_HEADERS: list[Callable[[Target], Mapping[str, str]]] = [
    lambda t: {"X-Tenant": t.slug},
    lambda t: {"X-Tenant-Id": t.tenant_id, "X-Lepton-Tenant": t.tenant_id},
    lambda t: {"X-Forwarded-Host": f"{t.slug}.example.com"},
    lambda t: {"X-Original-Url": f"/t/{t.slug}/", "X-Rewrite-Url": f"/t/{t.slug}/"},
    lambda t: {"X-Api-Key": t.key_id, "X-User-Id": t.user_id},
    lambda t: {"X-Http-Method-Override": "GET", "If-None-Match": t.ids.item_id},
    lambda t: {"Cookie": f"tenant={t.slug}; tenant_id={t.tenant_id}; sessionid={t.user_id}"},
    lambda t: {"Referer": f"http://localhost/t/{t.slug}/", "Origin": "http://localhost"},
]


def iter_variants(operation: AttackedOperation) -> Iterator[RequestVariant]:
    """The plain request first, then the other tenant's idempotency key, other bodies, query strings, ids and headers."""
    yield _build_declared_request
    if operation.method == "POST":
        yield _use_foreign_idempotency_key
    yield from (_replace_body(make) for make in _BODIES.get(operation.name, []))
    yield from (_add_query(make) for make in _QUERIES)
    if "{" in operation.path:
        yield from (_rewrite_ids(spelling) for spelling in SPELLINGS.values())
        yield _prefix_ids_with_tenant
        yield _prefix_ids_with_slug
        yield _swap_ids
    yield from (_add_headers(make) for make in _HEADERS)


def _build_declared_request(operation: AttackedOperation, target: Target) -> ClientRequest:
    return operation.build_request(target.ids)


def _use_foreign_idempotency_key(operation: AttackedOperation, target: Target) -> ClientRequest:
    request = operation.build_request(target.ids)
    return replace(request, headers={"Idempotency-Key": target.build_idempotency_key(operation.name)})


def _replace_body(make: Callable[[Target], Any]) -> RequestVariant:
    return lambda operation, target: replace(
        operation.build_request(target.ids), body=json.dumps(make(target)).encode()
    )


def _add_query(make: Callable[[Target], Mapping[str, str]]) -> RequestVariant:
    def build_request(operation: AttackedOperation, target: Target) -> ClientRequest:
        request = operation.build_request(target.ids)
        return replace(request, path=f"{request.path}?{urlencode(make(target))}")

    return build_request


def _add_headers(make: Callable[[Target], Mapping[str, str]]) -> RequestVariant:
    return lambda operation, target: replace(operation.build_request(target.ids), headers=make(target))


def _rewrite_ids(spelling: Spelling) -> RequestVariant:
    def build_request(operation: AttackedOperation, target: Target) -> ClientRequest:
        path = re.sub(r"{(\w+)}", lambda match: spelling(target.ids.get_id(match[1])), operation.path)
        return replace(operation.build_request(target.ids), path=path)

    return build_request


def _prefix_ids_with_tenant(operation: AttackedOperation, target: Target) -> ClientRequest:
    return _rewrite_ids(lambda text: f"{target.tenant_id}%3A{text}")(operation, target)


def _prefix_ids_with_slug(operation: AttackedOperation, target: Target) -> ClientRequest:
    return _rewrite_ids(lambda text: f"{target.slug}/{text}")(operation, target)


def _swap_ids(operation: AttackedOperation, target: Target) -> ClientRequest:
    """Ids of another kind: a job's for an item, a recommendation's for a job, a user's for a profile."""
    swapped_ids = {
        "item_id": target.ids.job_id,
        "job_id": target.recommendation_id,
        "profile_id": target.user_id,
        "version": target.key_id,
    }
    path = re.sub(r"{(\w+)}", lambda match: swapped_ids[match[1]], operation.path)
    return replace(operation.build_request(target.ids), path=path)


def _build_event_body(profile_id: str | None, item_id: str, **fields: Any) -> Any:
    return {"events": [{"profile_id": profile_id, "item_id": item_id, "kind": "view", **fields}]}


def _build_review_body(profile_id: str, item_id: str, **fields: Any) -> Any:
    return {"reviews": [{"profile_id": profile_id, "item_id": item_id, "text": "probe", **fields}]}
