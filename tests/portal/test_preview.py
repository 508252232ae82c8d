from __future__ import annotations

from typing import Any

from tests.portal.workspace import Workspace, publish

QUESTION = {"profile_id": "", "session": "", "scenario": "default", "k": "4", "filter": ""}


def test_an_anonymous_visitor_sees_cards_with_a_reason_and_a_curl_line(shop: Workspace, owner: Any) -> None:
    publish(shop, ndcg=0.05)
    page = owner.post(shop.page("preview"), QUESTION, headers={"HX-Request": "true"}).content.decode()
    assert "4 recommendations" in page
    assert "Linen" in page
    assert "/api/v1/recommendations" in page
    assert "<html" not in page


def test_a_filter_holds(shop: Workspace, owner: Any) -> None:
    question = {**QUESTION, "filter": '{"categories": {"eq": "Kitchen"}}'}
    page = owner.post(shop.page("preview"), question).content.decode()
    assert "Ceramic" in page
    assert "Linen" not in page


def test_a_wrong_question_says_what_is_wrong(shop: Workspace, owner: Any) -> None:
    page = owner.post(shop.page("preview"), {**QUESTION, "filter": "{price"}).content.decode()
    assert "This is not JSON." in page
    unknown = owner.post(shop.page("preview"), {**QUESTION, "filter": '{"colour": {"eq": "red"}}'})
    assert "The request is not valid" in unknown.content.decode()


def test_the_question_stands_in_no_address(shop: Workspace, owner: Any) -> None:
    page = owner.get(shop.page("preview")).content.decode()
    assert f'hx-post="{shop.page("preview")}"' in page


def test_what_is_tried_here_counts_in_no_report(shop: Workspace, owner: Any) -> None:
    owner.post(shop.page("preview"), QUESTION)
    owner.get(shop.page())
    table = owner.get(shop.page("reports", "csv/"), {"days": "7"}).content.decode("utf-8-sig")
    assert {line.split(",")[1] for line in table.splitlines()[1:]} == {"0"}
