from __future__ import annotations

from typing import Any

import pytest

ITEMS = "/api/v1/items"


@pytest.mark.parametrize("limit", ["0", "201", "-1", "ten", "1.5", "", "٣", "9" * 40])
def test_a_limit_out_of_range_is_422(owner: Any, limit: str) -> None:
    answer = owner.get(ITEMS, {"limit": limit})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/limit")


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "MTox", "//", "%00"])
def test_a_cursor_that_is_none_is_422(owner: Any, cursor: str) -> None:
    answer = owner.get(ITEMS, {"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/cursor")


def test_another_tenants_cursor_is_422(owner: Any, stranger: Any, mugs: list[str]) -> None:
    cursor = owner.get(ITEMS, {"limit": "1"}).json()["next_cursor"]
    assert stranger.get(ITEMS, {"cursor": cursor}).status_code == 422


def test_another_lists_cursor_is_422(owner: Any, mugs: list[str]) -> None:
    cursor = owner.get(ITEMS, {"limit": "1"}).json()["next_cursor"]
    assert owner.get("/api/v1/jobs", {"cursor": cursor}).status_code == 422


def test_a_cursor_does_not_show_its_position(owner: Any, mugs: list[str]) -> None:
    cursor = owner.get(ITEMS, {"limit": "1"}).json()["next_cursor"]
    assert "mug" not in cursor
