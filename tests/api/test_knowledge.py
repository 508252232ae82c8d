"""Rules and triples that a tenant states, and what becomes of bad ones."""

from __future__ import annotations

from typing import Any

import pytest

RULES, TRIPLES = "/api/v1/knowledge/rules", "/api/v1/knowledge/triples"


def rule(number: int = 0, **changed: object) -> dict[str, object]:
    return {"id": f"r{number}", "items": {"tags": {"eq": "gift"}}, **changed}


@pytest.fixture
def shop(owner: Any, mugs: list[str]) -> Any:
    owner.post("/api/v1/items", {"id": "pot", "attributes": {"colour": "blue"}})
    owner.put("/api/v1/profiles/ann", {"attributes": {"job": "nurse", "religion": "none"}})
    return owner


def test_rules_are_replaced_as_a_whole_and_listed(shop: Any) -> None:
    full = rule(1, profile={"attributes.job": {"eq": "nurse"}, "language": {"in": ["en"]}}, weight=2.0)
    assert shop.put(RULES, {"rules": [rule(0), full]}).json() == {"accepted": 2, "rejected": []}
    listed = shop.get(RULES).json()["data"]
    assert sorted(listed, key=lambda row: str(row["id"])) == [rule(0), full]
    assert shop.put(RULES, {"rules": [full]}).json()["accepted"] == 1
    assert shop.get(RULES).json()["data"] == [full]
    assert shop.put(RULES, {"rules": []}).json()["accepted"] == 0
    assert shop.get(RULES).json()["data"] == []


def test_where_no_rule_is_taken_those_before_stay(shop: Any) -> None:
    shop.put(RULES, {"rules": [rule(0)]})
    assert shop.put(RULES, {"rules": [rule(1, items={})]}).status_code == 422
    assert shop.get(RULES).json()["data"] == [rule(0)]


def test_a_rule_that_stands_twice_is_taken_once(shop: Any) -> None:
    answer = shop.put(RULES, {"rules": [rule(0), rule(0, weight=2.0)]}).json()
    assert (answer["accepted"], answer["rejected"][0]["code"]) == (1, "repeated_id")
    assert shop.get(RULES).json()["data"] == [rule(0)]


BAD_RULES = {
    "an attribute that no profile has": (
        rule(profile={"attributes.hobby": {"eq": "x"}}),
        "/profile/attributes.hobby",
        "unknown_attribute",
    ),
    "an attribute that no item has": (
        rule(items={"attributes.size": {"gt": 3}}),
        "/items/attributes.size",
        "unknown_attribute",
    ),
    "a feature that is never used": (
        rule(profile={"attributes.religion": {"eq": "none"}}),
        "/profile/attributes.religion",
        "never_feature",
    ),
    "a never feature under another name": (
        rule(profile={"attributes.userFaith": {"eq": "x"}}),
        "/profile/attributes.userFaith",
        "never_feature",
    ),
    "a never feature as a mark of a tag": (
        rule(items={"tags": {"in": ["gift", "religion:any"]}}),
        "/items/tags",
        "never_feature",
    ),
    "a field that no item has": (rule(items={"colour": {"eq": "blue"}}), "/items/colour", "invalid_filter"),
    "a field of items asked of profiles": (
        rule(profile={"brand": {"eq": "x"}}),
        "/profile/brand",
        "invalid_filter",
    ),
    "a condition that does not exist": (
        rule(items={"price": {"about": 3}}),
        "/items/price",
        "invalid_filter",
    ),
    "no items": (rule(items={}), "/items", "required"),
    "a weight beyond the bounds": (rule(weight=11), "/weight", "range"),
    "a word for a weight": (rule(weight="much"), "/weight", "type"),
}


@pytest.mark.parametrize(("bad", "pointer", "code"), BAD_RULES.values(), ids=list(BAD_RULES))
def test_a_bad_rule_is_refused_with_its_place_and_its_neighbours_are_kept(
    shop: Any, bad: dict[str, object], pointer: str, code: str
) -> None:
    answer = shop.put(RULES, {"rules": [rule(1), bad, rule(2)]})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2)
    (error, *other_errors) = answer.json()["rejected"]
    assert (error["row"], error["pointer"]) == (1, f"/rules/1{pointer}")
    assert code in {error["code"], *(row["code"] for row in other_errors)}
    assert error["detail"].endswith(".")


def test_where_nobody_is_stored_no_attribute_is_unknown(owner: Any) -> None:
    new_rule = rule(profile={"attributes.hobby": {"eq": "x"}}, items={"attributes.size": {"gt": 3}})
    assert owner.put(RULES, {"rules": [new_rule]}).json()["accepted"] == 1


def test_a_never_feature_is_refused_also_where_nobody_is_stored(owner: Any) -> None:
    answer = owner.put(RULES, {"rules": [rule(profile={"attributes.religion": {"eq": "x"}})]})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "never_feature")


def test_more_rules_than_a_tenant_has_are_refused_and_none_is_stored(owner: Any) -> None:
    answer = owner.put(RULES, {"rules": [rule(number) for number in range(501)]})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert owner.get(RULES).json()["data"] == []


def test_triples_are_stored_once_listed_and_removed(shop: Any) -> None:
    triples = [
        {"head": "mug-blue", "relation": "goes_with", "tail": "mug-red"},
        {"head": "mug-blue", "relation": "made_of", "tail": "stoneware"},
    ]
    assert shop.post(TRIPLES, {"triples": triples}).json()["created"] == 2
    assert shop.post(TRIPLES, {"triples": triples}).json()["created"] == 0
    assert sorted(shop.get(TRIPLES).json()["data"], key=lambda row: str(row["tail"])) == triples
    assert shop.delete(TRIPLES).status_code == 204
    assert shop.get(TRIPLES).json()["data"] == []


def test_a_triple_about_no_item_is_refused_and_its_neighbours_are_kept(shop: Any) -> None:
    good, bad = ({"head": head, "relation": "made_of", "tail": "clay"} for head in ("pot", "no such"))
    answer = shop.post(TRIPLES, {"triples": [bad, good, {"head": "pot"}, good]})
    assert (answer.status_code, answer.json()["created"]) == (200, 1)
    assert [(row["row"], row["code"]) for row in answer.json()["rejected"]] == [
        (0, "unknown_item"),
        (2, "required"),
        (3, "repeated_id"),
    ]


def test_pages_visit_every_triple_once(shop: Any) -> None:
    triples = [{"head": "pot", "relation": "fits", "tail": f"lid {n}"} for n in range(7)]
    shop.post(TRIPLES, {"triples": triples})
    seen, cursor = [], ""
    for size in (3, 3, 1):
        page = shop.get(f"{TRIPLES}?limit=3{cursor}").json()
        seen += page["data"]
        assert len(page["data"]) == size
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen, key=lambda row: str(row["tail"])) == triples


def test_a_stranger_sees_and_states_nothing_of_it(shop: Any, stranger: Any) -> None:
    shop.put(RULES, {"rules": [rule()]})
    shop.post(TRIPLES, {"triples": [{"head": "pot", "relation": "made_of", "tail": "clay"}]})
    assert stranger.get(RULES).json()["data"] == stranger.get(TRIPLES).json()["data"] == []
    response = stranger.post(TRIPLES, {"triples": [{"head": "pot", "relation": "made_of", "tail": "clay"}]})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "unknown_item")
    stranger.put(RULES, {"rules": []})
    assert len(shop.get(RULES).json()["data"]) == 1


def test_a_reader_states_nothing(reader: Any) -> None:
    assert reader.put(RULES, {"rules": [rule()]}).status_code == 403
    assert reader.delete(TRIPLES).status_code == 403
