"""The Parquet files in the repository."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from lepton_platform.demo.records import DATA_DIRECTORY
from lepton_platform.demo.specs import SPECS, DemoSpec
from tenants.data.presets import PRIVACY_PRESETS
from tenants.data.types import Scenario

ATTRIBUTION = (DATA_DIRECTORY.parent / "ATTRIBUTION.md").read_text(encoding="utf-8")
FORBIDDEN = {
    "disability",
    "gender",
    "sex",
    "marital",
    "imd_band",
    "race",
    "religion",
    "postcode",
    "health",
    "hiv",
}
by_slug = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.slug)


def _read(spec: DemoSpec, table: str) -> pl.DataFrame:
    return pl.read_parquet(DATA_DIRECTORY / spec.folder / f"{table}.parquet")


def test_all_files_together_stay_below_eight_megabytes() -> None:
    assert sum(path.stat().st_size for path in DATA_DIRECTORY.rglob("*.parquet")) < 8_000_000


@by_slug
def test_no_profile_has_a_forbidden_attribute(spec: DemoSpec) -> None:
    attributes = {name for text in _read(spec, "profiles")["attributes"] for name in json.loads(text)}
    assert not attributes & (FORBIDDEN | set(PRIVACY_PRESETS[spec.vertical].denied_attributes))


@by_slug
def test_every_event_refers_to_a_shipped_item_and_profile(spec: DemoSpec) -> None:
    events = _read(spec, "events")
    assert set(events["item_id"].unique()) <= set(_read(spec, "items")["id"])
    assert set(events["profile_id"].unique()) <= set(_read(spec, "profiles")["id"])
    assert events["id"].is_unique().all()


@by_slug
def test_scenarios_are_names_that_ingest_accepts(spec: DemoSpec) -> None:
    pattern = Scenario.__metadata__[0].pattern
    assert _read(spec, "events")["scenario"].drop_nulls().str.contains(pattern).all()


@by_slug
def test_the_example_profile_has_a_history(spec: DemoSpec) -> None:
    events = _read(spec, "events")
    assert events.filter(pl.col("profile_id") == spec.example_profile).height >= 5


@by_slug
def test_the_name_of_a_simulated_tenant_says_so_in_both_languages(spec: DemoSpec) -> None:
    assert ("simulated" in spec.name and "模拟" in spec.name) is spec.simulated


@by_slug
def test_simulated_events_exist_only_in_tenants_named_as_simulated(spec: DemoSpec) -> None:
    assert ("simulated" in _read(spec, "events")["scenario"].unique().to_list()) is spec.simulated


@pytest.mark.parametrize(
    "line",
    [
        "Open University Learning Analytics dataset (Kuzilek, Hlosta, Zdrahal 2017), CC BY 4.0",
        "Open Bandit Dataset (ZOZO), CC BY 4.0",
        "Drug Review Dataset (Druglib.com), UCI, CC BY 4.0",
        "Bank Marketing (Moro, Rita, Cortez 2014), UCI, CC BY 4.0",
        "Women's E-Commerce Clothing Reviews, CC0",
    ],
)
def test_the_attribution_is_quoted_verbatim(line: str) -> None:
    assert line in ATTRIBUTION


def test_there_are_two_languages_and_three_regions() -> None:
    assert {spec.language for spec in SPECS} == {"en", "zh-hans"}
    assert {spec.region for spec in SPECS} == {"cn", "eu", "us"}


def test_only_tables_are_shipped() -> None:
    assert {path.suffix for path in DATA_DIRECTORY.rglob("*") if path.is_file()} == {".parquet"}
    assert {Path(path).name for path in map(str, DATA_DIRECTORY.iterdir())} == {spec.folder for spec in SPECS}
