from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lepton_platform.demo.convert import ads, bank, clothing, drugs, education
from lepton_platform.demo.convert.tables import DemoTables, as_json, cast_to_schema, write_tables
from lepton_platform.demo.specs import SPECS, DemoSpec
from tests.demo import sources


@pytest.fixture(scope="session")
def published_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published")
    sources.write_education(root / education.FOLDER)
    sources.write_ads(root / ads.FOLDER)
    sources.write_clothing(root / clothing.FOLDER)
    sources.write_bank(root / bank.FOLDER)
    sources.write_drugs(root / drugs.FOLDER)
    return root


@pytest.fixture
def shop() -> DemoSpec:
    clothes = next(spec for spec in SPECS if spec.folder == "clothing")
    return replace(clothes, region="eu", kind_weights={"glance": 0.25})


@pytest.fixture
def shop_data(tmp_path: Path) -> Path:
    """2,500 events of 50 visitors: three batches."""
    start = datetime(2019, 12, 1, tzinfo=UTC)
    events = [
        {
            "id": f"e{n}",
            "profile_id": f"visitor-{n // 50:03d}",
            "item_id": f"sku-{n % 7}",
            "kind": "glance" if n % 2 else "view",
            "at": start + timedelta(minutes=n),
            "scenario": "simulated",
        }
        for n in range(2_500)
    ]
    items = [{"id": f"sku-{n}", "title": f"裙 {n}", "attributes": as_json({"n": n})} for n in range(7)]
    for item in items:
        item |= {"categories": ["裙装"], "tags": ["红色"]}
    profiles = [{"id": f"visitor-{n:03d}", "attributes": as_json({"since_days_ago": n})} for n in range(50)]
    reviews = [
        {"id": f"r{n}", "item_id": f"sku-{n % 7}", "text": f"Nice {n}", "rating": 4.0} for n in range(20)
    ]
    tables = DemoTables(
        items=cast_to_schema(pl.DataFrame(items), "items"),
        profiles=cast_to_schema(pl.DataFrame(profiles), "profiles"),
        events=cast_to_schema(pl.DataFrame(events), "events"),
        reviews=cast_to_schema(pl.DataFrame(reviews), "reviews"),
    )
    write_tables(tables, tmp_path / "clothing")
    return tmp_path


@pytest.fixture
def silent_report() -> Callable[[str, float], None]:
    return lambda _text, _fraction: None
