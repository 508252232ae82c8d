from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from lepton_platform.demo.convert import ads, bank, clothing, convert_datasets, drugs, education
from lepton_platform.demo.convert.conditions import find_area


def test_the_same_sources_give_the_same_bytes(published: Path, tmp_path: Path) -> None:
    list(convert_datasets(published, tmp_path / "first"))
    list(convert_datasets(published, tmp_path / "second"))
    first_files = {
        path.relative_to(tmp_path / "first"): path.read_bytes()
        for path in (tmp_path / "first").rglob("*.parquet")
    }
    second_files = {
        path.relative_to(tmp_path / "second"): path.read_bytes()
        for path in (tmp_path / "second").rglob("*.parquet")
    }
    assert len(first_files) == 17
    assert first_files == second_files


def test_a_submission_carries_its_own_day_and_score(published: Path) -> None:
    events = education.convert_education(published / education.FOLDER).events
    row = events.row(by_predicate=pl.col("id") == "7:AAA-2013J-TMA1", named=True)
    assert (row["at"].date().isoformat(), row["kind"], row["value"]) == ("2013-10-19", "submit", 78.0)


def test_a_banked_result_is_not_a_submission(published: Path) -> None:
    assert (
        "7:AAA-2013J-TMA2"
        not in education.convert_education(published / education.FOLDER).events["id"].to_list()
    )


def test_an_assessment_is_named_with_its_course_and_day(published: Path) -> None:
    titles = education.convert_education(published / education.FOLDER).items["title"].to_list()
    assert titles == [
        "AAA 2013J · Course",
        "AAA 2013J · TMA 1 (day 19)",
        "AAA 2013J · TMA 2 (day 54)",
        "AAA 2013J · Exam (day 268)",
    ]


def test_students_keep_only_what_education_may_use(published: Path) -> None:
    profiles = education.convert_education(published / education.FOLDER).profiles
    attributes = {name for text in profiles["attributes"] for name in json.loads(text)}
    assert attributes == {"home_region", "age_band", "education", "credits", "previous_attempts"}


def test_equal_hashed_features_make_one_anonymous_segment(published: Path) -> None:
    tables = ads.convert_ads(published / ads.FOLDER)
    assert tables.profiles.height == 2
    assert json.loads(tables.profiles["attributes"][0]) == {"anonymous_segment": True}


def test_a_click_follows_its_impression(published: Path) -> None:
    events = ads.convert_ads(published / ads.FOLDER).events
    assert events["kind"].value_counts().sort("kind").rows() == [("click", 6), ("impression", 36)]
    clicked = events.filter(events["id"].is_in(["c-all-bts-3", "i-all-bts-3"]))["kind"].to_list()
    assert clicked == ["impression", "click"]


def test_garments_have_chinese_titles_and_categories(published: Path) -> None:
    tables = clothing.convert_clothing(published / clothing.FOLDER, n_visitors=5)
    assert tables.items["title"][0] == "柔软蕾丝连衣裙 0000"
    assert tables.items["categories"][0].to_list() == ["裙装", "连衣裙"]
    assert tables.items["language"].unique().to_list() == ["zh-hans"]


def test_every_event_of_a_simulated_visitor_is_marked(published: Path) -> None:
    tables = clothing.convert_clothing(published / clothing.FOLDER, n_visitors=5)
    assert tables.events["scenario"].unique().to_list() == ["simulated"]


def test_a_review_without_text_is_dropped(published: Path) -> None:
    assert clothing.convert_clothing(published / clothing.FOLDER, n_visitors=5).reviews.height == 11


def test_customers_keep_no_marital_state_and_no_default(published: Path) -> None:
    profiles = bank.convert_bank(published / bank.FOLDER).profiles
    attributes = {name for text in profiles["attributes"] for name in json.loads(text)}
    assert not attributes & {"marital", "default", "duration"}
    assert {"risk_class", "risk_class_simulated"} <= attributes


def test_every_product_states_its_risk_in_words(published: Path) -> None:
    items = bank.convert_bank(published / bank.FOLDER).items
    assert items["description"].str.starts_with("Risk class R").all()
    assert {json.loads(text)["risk"] for text in items["attributes"]} == {"R1", "R2", "R3", "R4", "R5"}


def test_views_are_simulated_and_calls_are_recorded(published: Path) -> None:
    events = bank.convert_bank(published / bank.FOLDER).events
    assert events.filter(events["kind"] == "view")["scenario"].unique().to_list() == ["simulated"]
    assert events.filter(events["kind"] != "view")["scenario"].unique().to_list() == ["recorded"]


def test_psychiatric_drugs_are_dropped_with_their_reviews(published: Path) -> None:
    tables = drugs.convert_drugs(published / drugs.FOLDER, n_readers=4)
    assert tables.items["id"].to_list() == ["heartol", "skinaid"]
    assert "calmol" not in tables.reviews["item_id"].to_list()


@pytest.mark.parametrize(
    ("condition", "area"),
    [
        ("overactive bladder", "Bladder, kidneys and prostate"),
        ("adult add", "psychiatry"),
        ("migraine headaches", "Headache"),
        ("ra", "Joints and muscles"),
        ("heartburn", "Stomach and bowel"),
        ("birth control", "reproduction and sexuality"),
        ("something unheard of", "Other conditions"),
    ],
)
def test_a_condition_falls_into_its_area(condition: str, area: str) -> None:
    assert find_area(condition) == area
