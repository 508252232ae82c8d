"""Every error is a problem with the same members; a request id finds it again."""

from __future__ import annotations

from typing import Any

import pytest

MEMBERS = {"type", "title", "status", "code", "detail", "request_id", "errors"}


@pytest.mark.parametrize("path", ["/api/v1/none", "/api/none", "/api/", "/api/v1/items/", "/api/v2/items"])
def test_an_unknown_address_is_a_404_problem(client: Any, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json().keys() == MEMBERS


def test_an_unknown_method_is_405_and_names_the_known_ones(owner: Any) -> None:
    answer = owner.delete("/api/v1/items")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, POST")
    assert answer.json()["code"] == "method_not_allowed"


def test_the_request_id_of_a_problem_is_in_the_header(owner: Any) -> None:
    answer = owner.get("/api/v1/items/none")
    assert answer.json()["request_id"] == answer["X-Request-Id"] != ""


def test_a_success_has_a_request_id(owner: Any) -> None:
    assert owner.get("/api/v1/tenant")["X-Request-Id"] != owner.get("/api/v1/tenant")["X-Request-Id"]


def test_a_callers_own_request_id_is_kept_when_it_is_plain(owner: Any) -> None:
    answer = owner.get("/api/v1/tenant", headers={"X-Request-Id": "trace-7"})
    assert answer["X-Request-Id"] == "trace-7"


def test_a_callers_request_id_with_markup_is_replaced(owner: Any) -> None:
    answer = owner.get("/api/v1/tenant", headers={"X-Request-Id": "<script>"})
    assert "<" not in answer["X-Request-Id"]


def test_an_unforeseen_error_tells_nothing(owner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr("tenants.data.queries.tenant_state.get_state", broken)
    answer = owner.get("/api/v1/tenant/privacy")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert b"secret of the house" not in answer.content


def test_answers_are_not_cached(owner: Any) -> None:
    assert owner.get("/api/v1/tenant")["Cache-Control"] == "no-store"


def test_head_answers_like_get(owner: Any) -> None:
    answer = owner.head("/api/v1/tenant")
    assert (answer.status_code, answer.content) == (200, b"")
