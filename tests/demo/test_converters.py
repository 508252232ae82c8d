from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from lepton_platform.demo.convert import ads, bank, clothing, convert_datasets, drugs, education
from lepton_platform.demo.convert.conditions import find_area


def test_the_same_sources_give_the_same_bytes(published_data: Path, tmp_path: Path) -> None:
    list(convert_datasets(published_data, tmp_path / "first"))
    list(convert_datasets(published_data, tmp_path / "second"))
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


def test_a_submission_has_its_day_and_score(published_data: Path) -> None:
    events = education.convert_education(published_data / education.FOLDER).events
    row = events.row(by_predicate=pl.col("id") == "7:AAA-2013J-TMA1", named=True)
    assert (row["at"].date().isoformat(), row["kind"], row["value"]) == ("2013-10-19", "submit", 78.0)


def test_a_banked_result_is_not_a_submission(published_data: Path) -> None:
    assert (
        "7:AAA-2013J-TMA2"
        not in education.convert_education(published_data / education.FOLDER).events["id"].to_list()
    )


def test_an_assessment_is_named_with_its_course_and_day(published_data: Path) -> None:
    titles = education.convert_education(published_data / education.FOLDER).items["title"].to_list()
    assert titles == [
        "AAA 2013J · Course",
        "AAA 2013J · TMA 1 (day 19)",
        "AAA 2013J · TMA 2 (day 54)",
        "AAA 2013J · Exam (day 268)",
    ]


def test_students_keep_only_attributes_that_education_allows(published_data: Path) -> None:
    profiles = education.convert_education(published_data / education.FOLDER).profiles
    attributes = {name for text in profiles["attributes"] for name in json.loads(text)}
    assert attributes == {"home_region", "age_band", "education", "credits", "previous_attempts"}


def test_equal_hashed_features_make_one_anonymous_segment(published_data: Path) -> None:
    tables = ads.convert_ads(published_data / ads.FOLDER)
    assert tables.profiles.height == 2
    assert json.loads(tables.profiles["attributes"][0]) == {"anonymous_segment": True}


def test_a_click_follows_its_impression(published_data: Path) -> None:
    events = ads.convert_ads(published_data / ads.FOLDER).events
    assert events["kind"].value_counts().sort("kind").rows() == [("click", 6), ("impression", 36)]
    clicked = events.filter(events["id"].is_in(["c-all-bts-3", "i-all-bts-3"]))["kind"].to_list()
    assert clicked == ["impression", "click"]


def test_garments_have_chinese_titles_and_categories(published_data: Path) -> None:
    tables = clothing.convert_clothing(published_data / clothing.FOLDER, n_visitors=5)
    assert tables.items["title"][0] == "柔软蕾丝连衣裙 0000"
    assert tables.items["categories"][0].to_list() == ["裙装", "连衣裙"]
    assert tables.items["language"].unique().to_list() == ["zh-hans"]


def test_every_event_of_a_simulated_visitor_is_marked(published_data: Path) -> None:
    tables = clothing.convert_clothing(published_data / clothing.FOLDER, n_visitors=5)
    assert tables.events["scenario"].unique().to_list() == ["simulated"]


def test_a_review_without_text_is_dropped(published_data: Path) -> None:
    assert clothing.convert_clothing(published_data / clothing.FOLDER, n_visitors=5).reviews.height == 11


def test_customers_keep_no_marital_state_and_no_default(published_data: Path) -> None:
    profiles = bank.convert_bank(published_data / bank.FOLDER).profiles
    attributes = {name for text in profiles["attributes"] for name in json.loads(text)}
    assert not attributes & {"marital", "default", "duration"}
    assert {"risk_class", "risk_class_simulated"} <= attributes


def test_every_product_states_its_risk_in_words(published_data: Path) -> None:
    items = bank.convert_bank(published_data / bank.FOLDER).items
    assert items["description"].str.starts_with("Risk class R").all()
    assert {json.loads(text)["risk"] for text in items["attributes"]} == {"R1", "R2", "R3", "R4", "R5"}


def test_views_are_simulated_and_calls_are_recorded(published_data: Path) -> None:
    events = bank.convert_bank(published_data / bank.FOLDER).events
    assert events.filter(events["kind"] == "view")["scenario"].unique().to_list() == ["simulated"]
    assert events.filter(events["kind"] != "view")["scenario"].unique().to_list() == ["recorded"]


def test_psychiatric_drugs_are_dropped_with_their_reviews(published_data: Path) -> None:
    tables = drugs.convert_drugs(published_data / drugs.FOLDER, n_readers=4)
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
