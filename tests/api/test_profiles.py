from __future__ import annotations

from typing import Any

ANN = "/api/v1/profiles/ann"


def test_a_profile_is_stored_and_read_back(owner: Any) -> None:
    stored = owner.put(ANN, {"attributes": {"segment": "new"}, "language": "de", "consent": "granted"})
    assert stored.status_code == 200
    assert owner.get(ANN).json() == stored.json()
    assert (stored.json()["id"], stored.json()["events"]) == ("ann", 0)


def test_attributes_are_set_removed_and_kept(owner: Any) -> None:
    owner.put(ANN, {"attributes": {"a": 1, "b": 2}})
    changed = owner.patch(ANN, {"attributes": {"b": None, "c": ["x"]}})
    assert changed.json()["attributes"] == {"a": 1, "c": ["x"]}


def test_attributes_of_nobody_cannot_be_changed(owner: Any) -> None:
    assert owner.patch(ANN, {"attributes": {"b": 1}}).status_code == 404


def test_a_wrong_consent_is_422_with_a_pointer(owner: Any) -> None:
    answer = owner.put(ANN, {"consent": "perhaps"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/consent")


def test_the_id_stands_in_the_address_only(owner: Any) -> None:
    assert owner.put(ANN, {"id": "bob"}).status_code == 422


def test_events_of_a_profile_are_counted(owner: Any, mugs: list[str]) -> None:
    owner.put(ANN, {})
    owner.post("/api/v1/events", {"events": [{"profile_id": "ann", "item_id": mugs[0], "kind": "view"}]})
    assert owner.get(ANN).json()["events"] == 1


def test_a_reader_may_not_write(reader: Any) -> None:
    assert reader.put(ANN, {}).status_code == 403


def test_a_stranger_gets_404(owner: Any, stranger: Any) -> None:
    owner.put(ANN, {})
    assert stranger.get(ANN).status_code == 404


def test_an_erased_profile_is_gone_and_erasing_again_is_no_error(owner: Any, mugs: list[str]) -> None:
    owner.put(ANN, {})
    owner.post("/api/v1/events", {"events": [{"profile_id": "ann", "item_id": mugs[0], "kind": "view"}]})
    first_response, second_response = owner.delete(ANN), owner.delete(ANN)
    assert (first_response.status_code, first_response.json()["rows"], second_response.json()["rows"]) == (
        200,
        2,
        0,
    )
    assert owner.get(ANN).status_code == 404


def test_erasing_leaves_a_strangers_profile_of_the_same_name(owner: Any, stranger: Any) -> None:
    stranger.put(ANN, {"attributes": {"whose": "theirs"}})
    owner.delete(ANN)
    assert stranger.get(ANN).json()["attributes"] == {"whose": "theirs"}
