"""The worked example of docs/add-a-demo-tenant.md."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lepton_platform.demo.convert.tables import write_tables
from lepton_platform.demo.loading import load_records
from lepton_platform.demo.progress import DemoLoadState
from lepton_platform.demo.specs import SPECS
from tenants.data.queries import catalog, profiles, timeline
from tenants.regions import TenantRef
from tenants.scope import scope
from tests.docs.markdown import open_document

GUIDE = open_document("docs/add-a-demo-tenant.md")


@pytest.fixture
def guide(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("books_of_the_guide")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("lepton_platform/demo/convert/books.py", "lepton_platform/demo/specs.py"):
        exec(GUIDE.get_block(name), module.__dict__)  # noqa: S102
    return module


def test_the_example_tenant_is_loaded(guide: Any, tenant: TenantRef, actor: Any, tmp_path: Path) -> None:
    source = tmp_path / guide.FOLDER
    source.mkdir()
    [table] = GUIDE.list_blocks("csv")
    (source / "loans.csv").write_text(table.code, encoding="utf-8")
    write_tables(guide.convert_books(source), tmp_path / "data" / guide.SPEC.folder)
    progress = DemoLoadState.from_directory(tmp_path / "progress", guide.SPEC.slug, tenant.id)
    load_records(guide.SPEC, tenant, progress, lambda _phase, _fraction: None, data=tmp_path / "data")
    with scope(tenant, actor=actor) as s:
        counts = (catalog.count_items(s)[0], profiles.count_profiles(s), timeline.count_events(s))
    assert counts == (2, 2, 3)


def test_the_example_is_not_taken() -> None:
    assert "demo-books" not in {spec.slug for spec in SPECS}


def test_the_page_of_demo_tenants_lists_them_all() -> None:
    rows = open_document("docs/demo.md").get_table("tenant")
    assert [row[0].strip("`") for row in rows] == [spec.slug for spec in SPECS]
