from __future__ import annotations

import io
from typing import Any

import polars as pl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tenants.data.actions import catalog as change
from tenants.data.actions import images
from tenants.data.media.images import EncodedImage
from tenants.data.queries import catalog
from tenants.scope import scope
from tests.portal.workspace import ACTOR, Workspace

PNG = EncodedImage(b"\x89PNG\r\n\x1a\n" + bytes(16), "image/png")


def test_a_search_finds_by_title_and_htmx_gets_the_list_alone(shop: Workspace, owner: Any) -> None:
    answer = owner.get(shop.page("catalogue"), {"q": "ceramic"}, headers={"HX-Request": "true"})
    assert "Ceramic pour-over set 1" in answer.content.decode()
    assert "Linen" not in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_an_item_page_shows_what_was_sent(shop: Workspace, owner: Any) -> None:
    page = owner.get(shop.page("catalogue", "item/"), {"id": "sku-1"}).content.decode()
    assert "Ceramic pour-over set 1" in page
    assert "€20.00" in page
    assert "spring" in page


def test_an_unknown_item_is_404(shop: Workspace, owner: Any) -> None:
    assert owner.get(shop.page("catalogue", "item/"), {"id": "nothing"}).status_code == 404


def test_a_retired_item_can_be_brought_back(shop: Workspace, owner: Any) -> None:
    retired = owner.post(shop.page("catalogue", "retire/"), {"id": "sku-1"}, follow=True)
    assert "“sku-1” is retired" in retired.content.decode()
    with scope(shop.ref, actor=ACTOR) as s:
        assert not catalog.get_item(s, "sku-1").live
    owner.post(shop.page("catalogue", "restore/"), {"id": "sku-1"})
    with scope(shop.ref, actor=ACTOR) as s:
        assert catalog.get_item(s, "sku-1").live


def test_a_stored_picture_is_shown_and_a_missing_one_is_404(shop: Workspace, owner: Any) -> None:
    with scope(shop.ref, actor=ACTOR) as s:
        images.set_image(s, "sku-1", PNG)
    shown = owner.get(shop.page("catalogue", "image/"), {"id": "sku-1"})
    assert (shown.status_code, shown["Content-Type"], shown.content) == (200, "image/png", PNG.content)
    assert owner.get(shop.page("catalogue", "image/"), {"id": "sku-2"}).status_code == 404


def _upload(owner: Any, shop: Workspace, name: str, content: bytes) -> str:
    file = SimpleUploadedFile(name, content)
    page: str = owner.post(shop.page("catalogue", "import/"), {"file": file}).content.decode()
    return page


def _parquet() -> bytes:
    out = io.BytesIO()
    pl.DataFrame({"item_id": ["p-1", "p-2"], "title": ["One", "Two"], "price": [1.5, None]}).write_parquet(
        out
    )
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "item_id", "title"),
    [
        ("a.csv", b"id,title,price,season\nc-1,Chair,12.5,summer\n", "c-1", "Chair"),
        ("a.tsv", b"sku\tname\nt-1\tTable\n", "t-1", "Table"),
        ("a.csv", "id,title\ng-1,椅子\n".encode("gb18030"), "g-1", "椅子"),
        ("a.jsonl", b'{"id": "j-1", "title": "Lamp", "tags": ["warm"]}\n', "j-1", "Lamp"),
        ("a.parquet", _parquet(), "p-1", "One"),
    ],
)
def test_a_file_becomes_items(
    shop: Workspace, owner: Any, name: str, content: bytes, item_id: str, title: str
) -> None:
    assert "All rows are imported" in _upload(owner, shop, name, content)
    with scope(shop.ref, actor=ACTOR) as s:
        assert catalog.get_item(s, item_id).item.title == title


def test_a_bad_row_is_named_and_its_neighbours_are_kept(shop: Workspace, owner: Any) -> None:
    content = b"id,title,price\na-1,Good,5\n,Nameless,5\na-3,Costly,many\na-1,Again,5\n"
    page = _upload(owner, shop, "a.csv", content)
    assert "The id is missing or too long." in page
    assert "The price is not a number of at least 0." in page
    assert "The file has an earlier row with this id." in page
    with scope(shop.ref, actor=ACTOR) as s:
        assert catalog.get_item(s, "a-1").item.title == "Good"


def test_rejected_rows_come_back_as_a_file_without_formulas(shop: Workspace, owner: Any) -> None:
    rows = '[[3, "The id is missing or too long.", "=HYPERLINK(1)"]]'
    answer = owner.post(shop.page("catalogue", "import/rejected/"), {"rows": rows})
    assert answer["Content-Disposition"].endswith('-rejected.csv"')
    assert answer.content.decode("utf-8-sig") == (
        "row,reason,source\r\n3,The id is missing or too long.,'=HYPERLINK(1)\r\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", b"%PDF", "Send a CSV, JSONL or Parquet file."),
        ("a.csv", b"title,price\nx,1\n", "one must be “id”"),
        ("a.parquet", b"PAR1 no", "This is not a Parquet file."),
    ],
)
def test_a_file_that_cannot_be_read_says_why_at_the_field(
    shop: Workspace, owner: Any, name: str, content: bytes, reason: str
) -> None:
    assert reason in _upload(owner, shop, name, content)


def test_the_same_file_twice_changes_nothing(shop: Workspace, owner: Any) -> None:
    content = b"id,title\nz-1,Zebra\n"
    _upload(owner, shop, "a.csv", content)
    with scope(shop.ref, actor=ACTOR) as s:
        before = catalog.get_item(s, "z-1").version
    _upload(owner, shop, "a.csv", content)
    with scope(shop.ref, actor=ACTOR) as s:
        assert catalog.get_item(s, "z-1").version == before


def test_the_palette_finds_items_and_needs_two_letters(shop: Workspace, owner: Any) -> None:
    with scope(shop.ref, actor=ACTOR) as s:
        change.retire_item(s, "sku-5")
    assert (
        "Ceramic pour-over set 1"
        in owner.get(shop.page("catalogue", "search/"), {"q": "ceramic"}).content.decode()
    )
    assert (
        "desk lamp 5" not in owner.get(shop.page("catalogue", "search/"), {"q": "desk lamp"}).content.decode()
    )
    assert owner.get(shop.page("catalogue", "search/"), {"q": "c"}).content == b""
