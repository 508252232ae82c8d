"""The import commands on real files: stored rows, rejected rows and the printed summary."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from django.core.management import CommandError, call_command

from tenants.control.queries import list_tenants
from tenants.data.queries import catalog, timeline
from tenants.data.queries.profiles import derive_profile_key
from tenants.scope import control_ops, scope

CSV = "sku;name;category;price;colour\nmug;Blue Mug;kitchen|cups;4.5;blue\n;No id;;;\ncup;Cup;;cheap;\nplate;盘子;;3;\n"


@pytest.fixture
def slug(tenant, actor) -> str:
    with control_ops("test", actor=actor, reason="name of the test's tenant") as s:
        return next(view.slug for view in list_tenants(s) if view.id == tenant.id)


def run(name: str, file: Path, slug: str, **options: object) -> str:
    out = StringIO()
    call_command(name, str(file), tenant=slug, stdout=out, **options)
    return out.getvalue()


def write_file(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_items_of_a_csv_are_stored_in_every_usual_encoding(tmp_path, slug, tenant, actor, encoding):
    output = run("import_items", write_file(tmp_path, "i.csv", CSV.encode(encoding)), slug)
    assert "4 rows read: 2 created" in output
    with scope(tenant, actor=actor) as s:
        item = catalog.get_item(s, "plate").item
    assert (item.title, item.price) == ("盘子", 3.0)


def test_rejected_rows_go_to_a_file_with_their_numbers_and_reasons(tmp_path, slug):
    run("import_items", write_file(tmp_path, "i.csv", CSV.encode()), slug)
    rows = [json.loads(line) for line in (tmp_path / "i.csv.rejected.jsonl").read_text().splitlines()]
    assert [row["row"] for row in rows] == [3, 4]
    assert "cheap" in rows[1]["reason"]


def test_the_file_of_rejected_rows_is_private(tmp_path, slug):
    run("import_items", write_file(tmp_path, "i.csv", CSV.encode()), slug)
    assert (tmp_path / "i.csv.rejected.jsonl").stat().st_mode & 0o777 == 0o600


def test_leading_zeros_of_an_id_are_preserved(tmp_path, slug, tenant, actor):
    run("import_items", write_file(tmp_path, "i.csv", b"id,title\n007,Bond\n"), slug)
    with scope(tenant, actor=actor) as s:
        assert catalog.get_item(s, "007").item.title == "Bond"


def test_the_same_file_again_changes_nothing(tmp_path, slug):
    file = write_file(tmp_path, "i.csv", CSV.encode())
    run("import_items", file, slug)
    assert "2 unchanged" in run("import_items", file, slug)


def test_events_of_a_parquet_file_are_stored(tmp_path, slug, tenant, actor, now_ms):
    run("import_items", write_file(tmp_path, "i.jsonl", b'{"id": "mug"}\n'), slug)
    frame = pl.DataFrame({"user_id": [7, 7], "item_id": ["mug", "cup"], "timestamp": [now_ms, now_ms]})
    frame.write_parquet(tmp_path / "e.parquet")
    output = run("import_events", tmp_path / "e.parquet", slug, kind="purchase")
    assert "2 rows read: 1 accepted, 0 duplicates, 1 rejected." in output
    with scope(tenant, actor=actor) as s:
        assert timeline.load_history(s, derive_profile_key(s, "7")).events["at"].tolist() == [now_ms]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("i.pdf", b"%PDF", "Send a CSV"),
        ("i.csv", b"", "empty"),
        ("i.csv", b"\xff\xff\xff\xff", "neither UTF-8"),
        ("i.parquet", b"PAR1 not really", "Parquet"),
    ],
)
def test_an_unreadable_file_is_one_sentence(tmp_path, slug, name, content, sentence):
    with pytest.raises(CommandError, match=sentence):
        run("import_items", write_file(tmp_path, name, content), slug)


def test_an_unknown_tenant_is_one_sentence(tmp_path, database):
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        run("import_items", write_file(tmp_path, "i.csv", b"id\n1\n"), "nobody")
