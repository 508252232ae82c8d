"""Every kind of POST, each sent three times with its key, in sequence and at once: one effect, the same bytes."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from lepton_platform.api.routes import ROUTES
from tenants.data.actions import catalog, events
from tenants.regions import TenantRef
from tenants.scope import scope
from tests.portal.workspace import ACTOR, items, open_workspace, publish, visits

# By operation: the address, the body of the n-th request, and the effects that one request has.
POSTS: dict[str, tuple[str, Callable[[int], Any], str]] = {
    "upsert_item": ("items", lambda n: {"id": f"mug-{n}", "title": "Mug"}, "items.upsert"),
    "upsert_items": ("items/batch", lambda n: {"items": [{"id": f"cup-{n}"}]}, "items.upsert"),
    "record_events": (
        "events", lambda _: {"events": [{"profile_id": "ann", "item_id": "mug", "kind": "view"}]}, "event"
    ),
    "record_reviews": (
        "reviews", lambda n: {"reviews": [{"item_id": "mug", "text": f"Number {n}."}]}, "reviews.record"
    ),
    "record_triples": (
        "knowledge/triples",
        lambda n: {"triples": [{"head": "mug", "relation": "fits", "tail": f"lid {n}"}]},
        "knowledge.triples",
    ),
    "recommend": ("recommendations", lambda _: {"profile_id": "ann", "k": 3}, "receipt"),
    "train_model": ("models/train", lambda _: {"profile": "fast"}, "job.request"),
    "cancel_job": ("jobs/{id}/cancel", lambda _: {}, "job.cancel"),
    "roll_back_model": ("models/rollback", lambda _: {}, "model.rolled_back"),
    "promote_model": ("models/2/promote", lambda _: {}, "model.promoted"),
}  # fmt: skip
EFFECTS = """
SELECT verb, count(*) FROM data_auditentry WHERE tenant_id = %(id)s GROUP BY verb
UNION ALL SELECT 'receipt', count(*) FROM data_receipt WHERE tenant_id = %(id)s
UNION ALL SELECT 'event', coalesce(sum(count), 0) FROM data_timeline WHERE tenant_id = %(id)s
"""
Asks = Callable[[str, Any, str], Any]


@pytest.fixture
def busy(database: None) -> TenantRef:
    """A tenant with two versions, of which the second serves, and without a narrow rate."""
    workspace = open_workspace(plan="enterprise")
    with scope(workspace.ref, actor=ACTOR) as s:
        catalog.upsert_items(s, items(12))
        events.record_events(s, visits(12))
    publish(workspace, ndcg=0.05)
    publish(workspace, ndcg=0.06)
    return workspace.ref


def until_answered(ask: Asks, path: str, body: Any, key: str) -> Any:
    """Asks again while the first request with this key is in flight, as a client is told to."""
    while True:
        answer = ask(path, body, key)
        if answer.status_code != 409 or answer.json()["code"] != "idempotency_in_flight":
            return answer
        time.sleep(0.002)


def in_sequence(ask: Asks, path: str, body: Any, key: str) -> list[Any]:
    return [ask(path, body, key) for _ in range(3)]


@pytest.fixture
def at_once() -> Iterator[Callable[..., list[Any]]]:
    """Three threads that start together."""
    together = Barrier(3, timeout=30)

    def send_once(ask: Asks, path: str, body: Any, key: str) -> Any:
        together.wait()
        try:
            return until_answered(ask, path, body, key)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        yield lambda *arguments: [
            future.result() for future in [pool.submit(send_once, *arguments) for _ in range(3)]
        ]


def sent(ask: Asks, count: int, at_once: Callable[..., list[Any]]) -> Iterator[tuple[str, list[Any]]]:
    """The operation and its three answers; of every round of operations the second is sent at once."""
    path_values = {"id": ""}
    for n in range(count):
        turn, number = divmod(n, len(POSTS))
        name = [*POSTS][number]
        path, body, _effect = POSTS[name]
        send = at_once if turn % 2 else in_sequence
        responses = send(ask, path.format(**path_values), body(n), f"key-{n}")
        yield name, responses
        path_values = json.loads(responses[0].content) if name == "train_model" else path_values


def test_every_post_of_the_api_is_among_them() -> None:
    declared = {
        operation.name for _, operations in ROUTES for operation in operations if operation.method == "POST"
    }
    assert set(POSTS) == declared


@pytest.mark.proof(row=14)
@pytest.mark.timeout(1200)
def test_each_of_many_posts_sent_three_times_has_one_effect(
    busy: TenantRef, api: Any, superuser: Any, at_once: Any, scale: Any, figure: Any
) -> None:
    owner, count = api(busy), scale(54, 1_000)
    owner.post("/api/v1/items", {"id": "mug", "title": "Mug"})
    before = effects(superuser, busy)

    def ask(path: str, body: Any, key: str) -> Any:
        return owner.post(f"/api/v1/{path}", body, headers={"Idempotency-Key": key})

    answered = [*sent(ask, count, at_once)]
    happened = effects(superuser, busy) - before
    expected = Counter(POSTS[name][2] for name, _responses in answered)
    wrong = sum((happened - expected).values()) + sum((expected - happened).values())
    refused = [
        (name, response.content)
        for name, responses in answered
        for response in responses
        if response.status_code >= 300
    ]
    differ = [
        name
        for name, responses in answered
        if len({(response.status_code, response.content) for response in responses}) > 1
    ]
    firsts = sum("Idempotent-Replayed" not in response for _, responses in answered for response in responses)
    assert figure(
        "effects too many or too few of POSTs sent three times", wrong, of=count, passes=not wrong
    ), happened
    assert figure("POSTs sent three times that were refused", len(refused), of=count, passes=not refused), (
        refused[:3]
    )
    assert figure("POSTs whose three answers differ in a byte", len(differ), of=count, passes=not differ), (
        differ
    )
    assert figure("answers that were made and not repeated", firsts, of=3 * count, passes=firsts == count)


def effects(superuser: Any, tenant: TenantRef) -> Counter[str]:
    rows = superuser("data_eu").execute(EFFECTS, {"id": tenant.id}).fetchall()
    return Counter({verb: int(count) for verb, count in rows})
