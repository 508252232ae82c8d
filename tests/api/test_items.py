from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.clips import make_clip
from tests.drawings import make_image_file

ITEMS = "/api/v1/items"
PNG = make_image_file("discs", 1)
MUG = {
    "id": "mug",
    "title": "Mug",
    "price": 12.5,
    "categories": ["kitchen"],
    "attributes": {"colour": "blue"},
}


def test_an_item_is_stored_and_read_back(owner: Any) -> None:
    stored = owner.post(ITEMS, MUG)
    assert stored.status_code == 200
    read = owner.get(f"{ITEMS}/mug")
    assert read.json() == stored.json()
    assert (read.json()["price"], read.json()["live"], read.json()["has_image"]) == (12.5, True, False)


def test_an_upsert_replaces_the_whole_item(owner: Any) -> None:
    owner.post(ITEMS, MUG)
    owner.post(ITEMS, {"id": "mug", "title": "New mug"})
    assert (owner.get(f"{ITEMS}/mug").json()["title"], owner.get(f"{ITEMS}/mug").json()["price"]) == (
        "New mug",
        None,
    )


def test_a_batch_reports_its_bad_rows_and_keeps_the_others(owner: Any) -> None:
    rows = [MUG, {"id": "cup", "price": "cheap"}, {"id": ""}, {"id": "pot"}, {"id": "mug"}]
    answer = owner.post(f"{ITEMS}/batch", {"items": rows})
    assert (answer.status_code, answer.json()["created"]) == (200, 2)
    assert [(e["row"], e["pointer"], e["code"]) for e in answer.json()["rejected"]] == [
        (1, "/items/1/price", "type"),
        (2, "/items/2/id", "length"),
        (4, "/items/4/id", "repeated_id"),
    ]


def test_an_item_with_ten_thousand_tags_is_refused_and_its_neighbours_are_kept(owner: Any) -> None:
    many = {"id": "many", "tags": [f"tag {number}" for number in range(10_000)]}
    answer = owner.post(f"{ITEMS}/batch", {"items": [MUG, many, {"id": "cup"}]})
    assert (answer.status_code, answer.json()["created"]) == (200, 2)
    assert [(e["row"], e["pointer"], e["code"]) for e in answer.json()["rejected"]] == [
        (1, "/items/1/tags", "length")
    ]


def test_a_wrong_type_in_a_single_item_is_422_with_a_pointer(owner: Any) -> None:
    answer = owner.post(ITEMS, {"id": "mug", "tags": ["a", 3]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/tags/1"


def test_a_retired_item_is_no_longer_live(owner: Any, mugs: list[str]) -> None:
    assert owner.delete(f"{ITEMS}/{mugs[0]}").status_code == 204
    assert owner.get(f"{ITEMS}/{mugs[0]}").json()["live"] is False


@pytest.mark.parametrize(
    "item_id", ["a/b/c", "https://shop.example/1?x=2", "杯子", "with space", "50%", "a?b#c", "two\nlines"]
)
def test_ids_of_any_shape_are_addressed_by_their_encoded_form(owner: Any, item_id: str) -> None:
    owner.post(ITEMS, {"id": item_id})
    assert owner.get(f"{ITEMS}/{quote(item_id, safe='')}").json()["id"] == item_id


def test_pages_visit_every_item_once(owner: Any) -> None:
    owner.post(f"{ITEMS}/batch", {"items": [{"id": f"i{n}"} for n in range(7)]})
    seen, cursor = [], ""
    for size in (3, 3, 1):
        page = owner.get(f"{ITEMS}?limit=3{cursor}").json()
        seen += [item["id"] for item in page["data"]]
        assert (len(page["data"]), page["has_more"]) == (size, size == 3)
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == [f"i{n}" for n in range(7)]


def test_search_finds_words_of_the_title(owner: Any, mugs: list[str]) -> None:
    matches = owner.get(f"{ITEMS}?search=BLUE").json()["data"]
    assert [item["id"] for item in matches] == ["mug-blue"]


def test_an_image_is_read_back_and_may_not_run(owner: Any, mugs: list[str]) -> None:
    address = f"{ITEMS}/{mugs[0]}/image"
    assert owner.put(address, PNG, content_type="image/png").status_code == 204
    image = owner.get(address)
    assert (image["Content-Type"], image.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert "sandbox" in image["Content-Security-Policy"]
    assert image["X-Content-Type-Options"] == "nosniff"
    assert owner.get(f"{ITEMS}/{mugs[0]}").json()["has_image"] is True


def test_of_a_video_frames_are_kept(owner: Any, mugs: list[str]) -> None:
    address = f"{ITEMS}/{mugs[0]}/image"
    assert owner.put(address, make_clip(), content_type="video/mp4").status_code == 204
    assert owner.get(address)["Content-Type"] == "image/webp"


def test_an_item_without_an_image_has_none(owner: Any, mugs: list[str]) -> None:
    assert owner.get(f"{ITEMS}/{mugs[0]}/image").status_code == 404


def test_a_stranger_gets_404(stranger: Any, mugs: list[str]) -> None:
    assert stranger.get(f"{ITEMS}/{mugs[0]}").status_code == 404


def test_a_stranger_may_have_the_same_id(owner: Any, stranger: Any) -> None:
    owner.post(ITEMS, MUG)
    stranger.post(ITEMS, {"id": "mug", "title": "Theirs"})
    assert owner.get(f"{ITEMS}/mug").json()["title"] == "Mug"


@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_id_longer_than_any_is_422(owner: Any, method: str) -> None:
    answer = getattr(owner, method)(f"{ITEMS}/{'x' * 257}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/path/item_id")


def test_a_search_longer_than_any_is_422(owner: Any) -> None:
    assert owner.get(ITEMS, {"search": "x" * 201}).status_code == 422
