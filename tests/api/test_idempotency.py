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
    first_response, second_response, third_response = (
        owner.post(EVENTS, batch(mugs[0]), headers={"Idempotency-Key": "k1"}) for _ in range(3)
    )
    assert first_response.content == second_response.content == third_response.content
    assert ("Idempotent-Replayed" in first_response, second_response["Idempotent-Replayed"]) == (
        False,
        "true",
    )
    assert recorded(owner) == 1


def test_without_a_key_every_request_counts(owner: Any, mugs: list[str]) -> None:
    owner.post(EVENTS, batch(mugs[0]))
    owner.post(EVENTS, batch(mugs[0]))
    assert recorded(owner) == 2


def test_the_key_with_another_body_is_422(owner: Any, mugs: list[str]) -> None:
    owner.post(EVENTS, batch(mugs[0]), headers={"Idempotency-Key": "k1"})
    response = owner.post(EVENTS, batch(mugs[1]), headers={"Idempotency-Key": "k1"})
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


def test_the_key_at_another_address_is_422(owner: Any) -> None:
    owner.post("/api/v1/items", {"id": "mug"}, headers={"Idempotency-Key": "k1"})
    response = owner.post("/api/v1/models/train", {"id": "mug"}, headers={"Idempotency-Key": "k1"})
    assert response.status_code == 422


def test_the_same_key_of_another_tenant_is_another_key(owner: Any, stranger: Any) -> None:
    owner.post("/api/v1/items", {"id": "mug"}, headers={"Idempotency-Key": "k1"})
    response = stranger.post("/api/v1/items", {"id": "mug"}, headers={"Idempotency-Key": "k1"})
    assert "Idempotent-Replayed" not in response
    assert stranger.get("/api/v1/items/mug").status_code == 200


def test_a_refused_request_leaves_its_key_free(owner: Any, mugs: list[str]) -> None:
    refused = owner.post(EVENTS, batch("teapot"), headers={"Idempotency-Key": "k1"})
    owner.post("/api/v1/items", {"id": "teapot"})
    repeated = owner.post(EVENTS, batch("teapot"), headers={"Idempotency-Key": "k1"})
    assert (refused.status_code, repeated.status_code) == (422, 200)


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256])
def test_a_key_of_another_shape_is_422(owner: Any, key: str) -> None:
    response = owner.post("/api/v1/items", {"id": "mug"}, headers={"Idempotency-Key": key})
    assert response.status_code == 422


def test_while_the_first_is_in_flight_the_second_is_409(
    owner: Any, mugs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    record_events = view.events.record_events

    def slow(*arguments: Any) -> Any:
        entered.set()
        assert go_on.wait(20)
        return record_events(*arguments)

    monkeypatch.setattr(view.events, "record_events", slow)
    with ThreadPoolExecutor(1) as pool:
        first_response = pool.submit(_ask_once, owner, batch(mugs[0]))
        assert entered.wait(20)
        second_response = owner.post(EVENTS, batch(mugs[0]), headers={"Idempotency-Key": "k1"})
        go_on.set()
        assert first_response.result().status_code == 200
    assert (second_response.status_code, second_response.json()["code"]) == (409, "idempotency_in_flight")
    assert int(second_response["Retry-After"]) > 0
    assert recorded(owner) == 1


def test_of_many_at_once_one_has_an_effect(owner: Any, mugs: list[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        responses = [*pool.map(lambda _: _ask_once(owner, batch(mugs[0], 3)), range(24))]
    assert {response.status_code for response in responses} <= {200, 409}
    assert len({response.content for response in responses if response.status_code == 200}) == 1
    assert recorded(owner) == 3


def test_an_answer_that_cannot_be_stored_undoes_its_effect(
    owner: Any, mugs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "finish_request", broken)
        failed = owner.post(EVENTS, batch(mugs[0]), headers={"Idempotency-Key": "k1"})
    repeated = owner.post(EVENTS, batch(mugs[0]), headers={"Idempotency-Key": "k1"})
    assert (failed.status_code, repeated.status_code, recorded(owner)) == (500, 200, 1)


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
    repeated = owner.post("/api/v1/items", {"id": "cup"}, headers={"Idempotency-Key": "k1"})
    assert (repeated.status_code, "Idempotent-Replayed" in repeated) == (200, False)
