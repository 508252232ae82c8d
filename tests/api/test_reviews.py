from __future__ import annotations

from typing import Any

REVIEWS = "/api/v1/reviews"


def review(item: str, **fields: Any) -> dict[str, Any]:
    return {"item_id": item, "profile_id": "ann", "rating": 4, "text": "Good.", **fields}


def test_reviews_are_listed_newest_first_in_pages(owner: Any, mugs: list[str]) -> None:
    days = [f"2026-11-0{day}T00:00:00Z" for day in (1, 3, 2)]
    owner.post(REVIEWS, {"reviews": [review(mugs[0], id=f"r{n}", at=at) for n, at in enumerate(days)]})
    first_page = owner.get(f"/api/v1/items/{mugs[0]}/reviews", {"limit": "2"}).json()
    assert ([row["id"] for row in first_page["data"]], first_page["has_more"]) == (["r1", "r2"], True)
    second_page = owner.get(f"/api/v1/items/{mugs[0]}/reviews", {"cursor": first_page["next_cursor"]}).json()
    assert ([row["id"] for row in second_page["data"]], second_page["has_more"]) == (["r0"], False)


def test_an_unknown_item_is_rejected_and_its_neighbours_are_kept(owner: Any, mugs: list[str]) -> None:
    answer = owner.post(REVIEWS, {"reviews": [review(mugs[0]), review("teapot"), review(mugs[1], rating=-1)]})
    assert (answer.status_code, answer.json()["created"]) == (200, 1)
    assert [(e["pointer"], e["code"]) for e in answer.json()["rejected"]] == [
        ("/reviews/1/item_id", "unknown_item"),
        ("/reviews/2/rating", "range"),
    ]


def test_a_known_review_is_replaced(owner: Any, mugs: list[str]) -> None:
    owner.post(REVIEWS, {"reviews": [review(mugs[0], id="r", text="Old.")]})
    assert owner.post(REVIEWS, {"reviews": [review(mugs[0], id="r", text="New.")]}).json()["updated"] == 1
    [only] = owner.get(f"/api/v1/items/{mugs[0]}/reviews").json()["data"]
    assert only["text"] == "New."


def test_reviews_of_no_item_are_404(owner: Any) -> None:
    assert owner.get("/api/v1/items/none/reviews").status_code == 404


def test_a_stranger_gets_404(owner: Any, stranger: Any, mugs: list[str]) -> None:
    owner.post(REVIEWS, {"reviews": [review(mugs[0])]})
    assert stranger.get(f"/api/v1/items/{mugs[0]}/reviews").status_code == 404
