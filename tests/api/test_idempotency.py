"""One effect for each Idempotency-Key, and the same bytes again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections

from lepton_platform.api.v1 import events as view
from tenants.data.actions import idempotency
from tenants.regions import TenantRef

EVENTS = "/api/v1/events"


def batch(item: str, count: int = 1) -> dict[str, Any]:
    """Without times and ids, so that only the key can tell a repetition."""
    return {"events": [{"profile_id": "ann", "item_id": item, "kind": "view"}] * count}


def recorded(owner: Any) -> int:
    owner.put("/api/v1/profiles/ann", {})
    return int(owner.get("/api/v1/profiles/ann").json()["events"])


def test_a_repetition_has_no_second_effect_and_the_same_bytes(owner: Any, mugs: list[str]) -> None:
    first, second, third = (
        owner.post(EVENTS, batch(mugs[0]), headers={"Idempotency-Key": "k1"}) for _ in range(3)
    )
    assert first.content == second.content == third.content
    assert ("Idempotent-Replayed" in first, second["Idempotent-Replayed"]) == (False, "true")
    assert recorded(owner) == 1


def test_without_a_key_every_request_counts(owner: Any, mugs: list[str]) -> None:
    owner.post(EVENTS, batch(mugs[0]))
    owner.post(EVENTS, batch(mugs[0]))
    assert recorded(owner) == 2


def test_the_key_with_another_body_is_422(owner: Any, mugs: list[str]) -> None:
    owner.post(EVENTS, batch(mugs[0]), headers={"Idempotency-Key": "k1"})
    answer = owner.post(EVENTS, batch(mugs[1]), headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_the_key_at_another_address_is_422(owner: Any) -> None:
    owner.post("/api/v1/items", {"id": "mug"}, headers={"Idempotency-Key": "k1"})
    answer = owner.post("/api/v1/models/train", {"id": "mug"}, headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 422


def test_the_same_key_of_another_tenant_is_another_key(owner: Any, stranger: Any) -> None:
    owner.post("/api/v1/items", {"id": "mug"}, headers={"Idempotency-Key": "k1"})
    answer = stranger.post("/api/v1/items", {"id": "mug"}, headers={"Idempotency-Key": "k1"})
    assert "Idempotent-Replayed" not in answer
    assert stranger.get("/api/v1/items/mug").status_code == 200


def test_a_refused_request_leaves_its_key_free(owner: Any, mugs: list[str]) -> None:
    refused = owner.post(EVENTS, batch("teapot"), headers={"Idempotency-Key": "k1"})
    owner.post("/api/v1/items", {"id": "teapot"})
    again = owner.post(EVENTS, batch("teapot"), headers={"Idempotency-Key": "k1"})
    assert (refused.status_code, again.status_code) == (422, 200)


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256])
def test_a_key_of_another_shape_is_422(owner: Any, key: str) -> None:
    answer = owner.post("/api/v1/items", {"id": "mug"}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422


def test_while_the_first_is_in_flight_the_second_is_409(
    owner: Any, mugs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    record_events = view.events.record_events

    def slow(*given: Any) -> Any:
        entered.set()
        assert go_on.wait(20)
        return record_events(*given)

    monkeypatch.setattr(view.events, "record_events", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_ask_once, owner, batch(mugs[0]))
        assert entered.wait(20)
        second = owner.post(EVENTS, batch(mugs[0]), headers={"Idempotency-Key": "k1"})
        go_on.set()
        assert first.result().status_code == 200
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_in_flight")
    assert int(second["Retry-After"]) > 0
    assert recorded(owner) == 1


def test_of_many_at_once_one_has_an_effect(owner: Any, mugs: list[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: _ask_once(owner, batch(mugs[0], 3)), range(24))]
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert recorded(owner) == 3


def test_an_answer_that_cannot_be_stored_undoes_its_effect(
    owner: Any, mugs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: Any, **_named: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "finish_request", broken)
        failed = owner.post(EVENTS, batch(mugs[0]), headers={"Idempotency-Key": "k1"})
    again = owner.post(EVENTS, batch(mugs[0]), headers={"Idempotency-Key": "k1"})
    assert (failed.status_code, again.status_code, recorded(owner)) == (500, 200, 1)


def test_stored_answers_are_sealed(owner: Any, superuser: Any) -> None:
    owner.post("/api/v1/items", {"id": "canary-mug-77"}, headers={"Idempotency-Key": "canary-key-77"})
    rows = superuser("data_eu").execute("SELECT key_digest, body FROM data_idempotency").fetchall()
    everything = b"".join(bytes(part) for row in rows for part in row if part)
    assert rows != []
    assert b"canary" not in everything


def _ask_once(owner: Any, body: dict[str, Any]) -> Any:
    try:
        return owner.post(EVENTS, body, headers={"Idempotency-Key": "k1"})
    finally:
        for connection in connections.all(initialized_only=True):
            connection.close()


def test_an_answer_is_forgotten_after_a_day(owner: Any, tenant: TenantRef, superuser: Any) -> None:
    owner.post("/api/v1/items", {"id": "mug"}, headers={"Idempotency-Key": "k1"})
    behind = superuser("data_eu")
    behind.execute(
        "UPDATE data_idempotency SET created_at = now() - interval '25 hours' WHERE tenant_id = %s",
        (tenant.id,),
    )
    behind.commit()
    again = owner.post("/api/v1/items", {"id": "cup"}, headers={"Idempotency-Key": "k1"})
    assert (again.status_code, "Idempotent-Replayed" in again) == (200, False)
