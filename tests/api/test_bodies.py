"""What is not one JSON value of bounded size in UTF-8 is refused before anything else looks at it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clips import build_box, make_clip

EVENTS = "/api/v1/events"
ITEMS = "/api/v1/items"
MALFORMED = {
    "nothing": b"",
    "half an object": b'{"events": [',
    "two values": b'{"events": []} {}',
    "NaN": b'{"events": [{"item_id": "a", "kind": "view", "price": NaN}]}',
    "Infinity": b'{"events": [{"item_id": "a", "kind": "view", "price": -Infinity}]}',
    "invalid UTF-8": b'{"events": [{"item_id": "\xff", "kind": "view"}]}',
    "invalid UTF-8 where nobody reads": b'{"events": [], "x": "\xff"}',
    "half a surrogate": b'{"events": [{"item_id": "\\ud800", "kind": "view"}]}',
    "a byte order mark": b'\xef\xbb\xbf{"events": []}',
    "single quotes": b"{'events': []}",
    "a broken row behind a wrong one": b'{"events": [{"item_id": 1}, {"item_id"]}',
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_json_is_400(owner: Any, content: bytes) -> None:
    answer = owner.post(EVENTS, content)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("path", [EVENTS, ITEMS])
def test_a_deep_nest_is_refused(owner: Any, path: str) -> None:
    answer = owner.post(path, b"[" * 100_000)
    assert answer.status_code in {400, 422}


def test_a_repeated_member_is_400(owner: Any) -> None:
    answer = owner.post(ITEMS, b'{"id": "mug", "title": "one", "title": "two"}')
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


def test_another_content_type_is_415(owner: Any) -> None:
    answer = owner.post(EVENTS, b"events=1", content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_compressed_body_is_415(owner: Any) -> None:
    answer = owner.post(EVENTS, b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_a_chunked_body_is_411(owner: Any) -> None:
    answer = owner.post(EVENTS, b"{}", headers={"Transfer-Encoding": "chunked"})
    assert answer.status_code == 411


def test_a_body_over_the_limit_is_413(owner: Any) -> None:
    answer = owner.post(EVENTS, b" " * (2 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_an_announced_size_over_the_limit_is_413_without_reading(owner: Any) -> None:
    answer = owner.post(EVENTS, b"{}", CONTENT_LENGTH=str(10**12))
    assert answer.status_code == 413


@pytest.mark.parametrize("content", [b"[]", b"3", b"null", b'{"event": []}', b'{"events": {}}'])
def test_json_of_another_shape_is_422(owner: Any, content: bytes) -> None:
    answer = owner.post(EVENTS, content)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_an_image_under_the_name_of_another_format_is_422(owner: Any, mugs: list[str]) -> None:
    answer = owner.put(f"{ITEMS}/{mugs[0]}/image", b"<svg/>", content_type="image/png")
    assert answer.status_code == 422


def test_a_video_may_have_more_bytes_than_an_image(owner: Any, mugs: list[str]) -> None:
    address, content = f"{ITEMS}/{mugs[0]}/image", make_clip() + build_box(b"free", bytes(9 * 2**20))
    assert owner.put(address, content, content_type="video/mp4").status_code == 204
    assert owner.put(address, content, content_type="image/png").status_code == 413


def test_a_video_of_more_than_32_mib_is_413_without_reading(owner: Any, mugs: list[str]) -> None:
    answer = owner.put(
        f"{ITEMS}/{mugs[0]}/image", b"x", content_type="video/mp4", CONTENT_LENGTH=str(32 * 2**20 + 1)
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_damaged_video_is_422_and_says_so(owner: Any, mugs: list[str]) -> None:
    answer = owner.put(f"{ITEMS}/{mugs[0]}/image", make_clip()[:-99], content_type="video/mp4")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "broken_image")
    assert answer.json()["detail"] == "The video is damaged or cut short."


def test_an_image_of_an_unknown_format_is_415(owner: Any, mugs: list[str]) -> None:
    answer = owner.put(f"{ITEMS}/{mugs[0]}/image", b"<svg/>", content_type="image/svg+xml")
    assert answer.status_code == 415
