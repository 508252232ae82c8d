from __future__ import annotations

import time
from typing import Any

import pytest

RECOMMEND = "/api/v1/recommendations"


@pytest.fixture
def shop(owner: Any, mugs: list[str]) -> Any:
    """The owner's key once the catalogue has reached serving."""
    deadline = time.monotonic() + 60
    while owner.post(RECOMMEND, {"k": 3}).json()["returned"] < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    return owner


def test_a_profile_gets_items_it_has_not_chosen(shop: Any, mugs: list[str]) -> None:
    shop.post("/api/v1/events", {"events": [{"profile_id": "ann", "item_id": mugs[0], "kind": "purchase"}]})
    answer = shop.post(RECOMMEND, {"profile_id": "ann", "k": 3}).json()
    assert {item["id"] for item in answer["items"]} == set(mugs[1:])
    assert (answer["requested"], answer["returned"]) == (3, 2)
    assert answer["truncated_reason"]


def test_nobody_known_is_answered_by_an_earlier_stage(shop: Any) -> None:
    answer = shop.post(RECOMMEND, {"profile_id": "nobody"})
    assert answer.status_code == 200
    assert answer.json()["stage"] in {"popular", "recent", "content"}


def test_an_empty_tenant_is_answered_with_nothing(stranger: Any) -> None:
    answer = stranger.post(RECOMMEND, {"k": 5}).json()
    assert (answer["stage"], answer["items"]) == ("empty", [])


def test_excluded_items_are_left_out(shop: Any, mugs: list[str]) -> None:
    answer = shop.post(RECOMMEND, {"exclude": mugs[:2]}).json()
    assert [item["id"] for item in answer["items"]] == mugs[2:]


def test_filters_hold(shop: Any) -> None:
    shop.post("/api/v1/items", {"id": "mug-blue", "title": "b", "price": 5, "categories": ["sale"]})
    requested = {"categories": {"in": ["sale"]}, "price": {"gte": 5, "lt": 6}}
    answer = shop.post(RECOMMEND, {"filter": requested}).json()
    assert {item["id"] for item in answer["items"]} <= {"mug-blue"}


def test_reasons_come_on_demand(shop: Any) -> None:
    without, with_reasons = (
        shop.post(RECOMMEND, {"reasons": requested}).json() for requested in (False, True)
    )
    assert [item["reasons"] for item in without["items"]] == [[], [], []]
    assert all(item["reasons"] for item in with_reasons["items"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"k": 0}, "/k"),
        ({"k": 101}, "/k"),
        ({"k": "10"}, "/k"),
        ({"profile_id": ""}, "/profile_id"),
        ({"session": "mug"}, "/session"),
        ({"exclude": [1]}, "/exclude/0"),
        ({"filter": {"colour": {"eq": 1}}}, "/filter/colour"),
        ({"filter": {"price": {"gte": "cheap"}}}, "/filter/price"),
        ({"filter": {"price": {"near": 3}}}, "/filter/price"),
        ({"scenario": "a b"}, "/scenario"),
        ({"kk": 3}, "/kk"),
    ],
)
def test_wrong_input_is_422_with_a_pointer(owner: Any, body: dict[str, Any], pointer: str) -> None:
    answer = owner.post(RECOMMEND, body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_number_beyond_every_float_is_no_server_error(owner: Any) -> None:
    body = b'{"filter": {"price": {"gte": ' + b"9" * 400 + b"}}}"
    assert owner.post(RECOMMEND, body).status_code == 422


def test_the_same_key_gives_the_same_bytes(shop: Any) -> None:
    first_response, second_response = (
        shop.post(RECOMMEND, {"profile_id": "ann"}, headers={"Idempotency-Key": "r1"}) for _ in range(2)
    )
    assert first_response.content == second_response.content
    assert second_response["Idempotent-Replayed"] == "true"


def test_similar_items_never_hold_the_item_itself(shop: Any, mugs: list[str]) -> None:
    answer = shop.get(f"/api/v1/items/{mugs[0]}/similar", {"k": "2"})
    assert answer.status_code == 200
    assert mugs[0] not in {item["id"] for item in answer.json()["data"]}


def test_similar_to_nothing_is_404(owner: Any) -> None:
    assert owner.get("/api/v1/items/none/similar").status_code == 404


@pytest.mark.parametrize("k", ["0", "101", "x", ""])
def test_similar_needs_a_sensible_k(owner: Any, mugs: list[str], k: str) -> None:
    assert owner.get(f"/api/v1/items/{mugs[0]}/similar", {"k": k}).status_code == 422


def test_a_stranger_gets_404(stranger: Any, mugs: list[str]) -> None:
    assert stranger.get(f"/api/v1/items/{mugs[0]}/similar").status_code == 404


def test_a_stranger_is_never_shown_the_owners_items(shop: Any, stranger: Any, mugs: list[str]) -> None:
    answer = stranger.post(RECOMMEND, {"session": mugs, "profile_id": "ann"})
    assert answer.json()["items"] == []
