from __future__ import annotations

from typing import Any

EVENTS = "/api/v1/events"


def view(item: str, **fields: Any) -> dict[str, Any]:
    return {"profile_id": "ann", "item_id": item, "kind": "view", **fields}


def test_events_are_accepted_and_counted(owner: Any, mugs: list[str]) -> None:
    answer = owner.post(EVENTS, {"events": [view(mugs[0]), view(mugs[1])]})
    assert answer.status_code == 200
    assert answer.json() == {"accepted": 2, "duplicates": 0, "batch_repeated": False, "rejected": []}


def test_an_unknown_item_is_rejected_and_its_neighbours_are_kept(owner: Any, mugs: list[str]) -> None:
    answer = owner.post(EVENTS, {"events": [view(mugs[0]), view("teapot"), view(mugs[1])]})
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    [rejected] = answer.json()["rejected"]
    assert (rejected["row"], rejected["pointer"], rejected["code"]) == (
        1,
        "/events/1/item_id",
        "unknown_item",
    )


def test_a_row_of_the_wrong_type_is_rejected_and_its_neighbours_are_kept(owner: Any, mugs: list[str]) -> None:
    answer = owner.post(EVENTS, {"events": [view(mugs[0]), view(mugs[0], price="3"), view(mugs[1])]})
    assert answer.json()["accepted"] == 2
    [rejected] = answer.json()["rejected"]
    assert (rejected["row"], rejected["pointer"], rejected["code"]) == (1, "/events/1/price", "type")


def test_rows_behind_an_unreadable_one_keep_their_numbers(owner: Any, mugs: list[str]) -> None:
    answer = owner.post(EVENTS, {"events": [view(1), view("teapot"), view(mugs[1])]})
    assert [error["pointer"] for error in answer.json()["rejected"]] == [
        "/events/0/item_id",
        "/events/1/item_id",
    ]


def test_a_batch_without_one_good_row_is_422_with_a_pointer_to_each_field(
    owner: Any, mugs: list[str]
) -> None:
    answer = owner.post(EVENTS, {"events": [view(mugs[0], price=-1), view(mugs[0], at="yesterday")]})
    assert answer.status_code == 422
    assert [(e["pointer"], e["code"]) for e in answer.json()["errors"]] == [
        ("/events/0/price", "range"),
        ("/events/1/at", "format"),
    ]


def test_a_missing_field_is_named(owner: Any) -> None:
    answer = owner.post(EVENTS, {"events": [{"kind": "view", "profile_id": "ann"}]})
    assert answer.json()["errors"][0]["pointer"] == "/events/0/item_id"
    assert answer.json()["errors"][0]["code"] == "required"


def test_an_unknown_field_is_named(owner: Any, mugs: list[str]) -> None:
    answer = owner.post(EVENTS, {"events": [view(mugs[0], prise=1)]})
    assert answer.json()["errors"][0]["pointer"] == "/events/0/prise"


def test_an_empty_batch_is_no_error(owner: Any) -> None:
    answer = owner.post(EVENTS, {"events": []})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)


def test_more_than_a_thousand_rows_are_too_large(owner: Any, mugs: list[str]) -> None:
    answer = owner.post(EVENTS, {"events": [view(mugs[0])] * 1001})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_the_same_timed_batch_has_one_effect(owner: Any, mugs: list[str]) -> None:
    batch = {"events": [view(mugs[0], id="e-1")]}
    first_response, second_response = owner.post(EVENTS, batch).json(), owner.post(EVENTS, batch).json()
    assert (first_response["accepted"], second_response["accepted"], second_response["batch_repeated"]) == (
        1,
        0,
        True,
    )


def test_a_reader_may_not_record(reader: Any, mugs: list[str]) -> None:
    assert reader.post(EVENTS, {"events": [view(mugs[0])]}).status_code == 403


def test_a_strangers_items_are_unknown(stranger: Any, mugs: list[str]) -> None:
    answer = stranger.post(EVENTS, {"events": [view(mugs[0])]})
    assert answer.json()["errors"][0]["code"] == "unknown_item"
