"""Review texts are normalised to a bounded length, and their language is detected."""

from __future__ import annotations

import time

import pytest

from recommender.language.preprocessing.text import (
    MAX_CHARACTERS,
    clean_text,
    detect_language,
    join_title_and_text,
    split_clauses,
    split_sentences,
)


def test_control_characters_and_lone_surrogates_become_spaces() -> None:
    assert clean_text("a\x00b\x1bc\ud800d\u2028e\ue000f") == "a b c d e f"


def test_a_megabyte_is_cut_within_a_second() -> None:
    started = time.perf_counter()
    assert len(clean_text("很好 good \n" * 120_000)) <= MAX_CHARACTERS
    assert time.perf_counter() - started < 1.0


def test_normalisation_does_not_exceed_the_bound() -> None:
    assert len(clean_text("\ufdfa" * MAX_CHARACTERS)) <= MAX_CHARACTERS


@pytest.mark.parametrize("empty", ["", " \n\t ", "\x00\x01", "\u200b"])
def test_an_empty_text_has_no_language(empty: str) -> None:
    assert detect_language(clean_text(empty)) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The battery is great", "en"),
        ("Love it", "en"),
        ("电池很好", "zh"),
        ("這個電池不錯", "zh"),
        ("iPhone 的电池很好", "zh"),
        ("Der Akku ist sehr gut und nicht teuer", None),
        ("La batterie est très bonne", None),
        ("バッテリーがとても良いです", None),
        ("배터리가 아주 좋습니다", None),
        ("Аккумулятор очень хороший", None),
        ("12345 !!!", None),
    ],
)
def test_english_and_chinese_are_distinguished_from_other_languages(text: str, language: str | None) -> None:
    assert detect_language(clean_text(text)) == language


def test_a_declared_language_decides_for_latin_script_only() -> None:
    assert detect_language("Sturdy", declared="en") == "en"
    assert detect_language("Stabil", declared="de") is None
    assert detect_language("质量很好", declared="en") == "zh"


def test_a_title_that_the_text_begins_with_is_not_repeated() -> None:
    assert join_title_and_text("Great", "Great phone") == "Great phone"
    assert join_title_and_text("Great", "A phone") == "Great\nA phone"


def test_sentences_and_clauses_are_split_at_pauses_of_both_languages() -> None:
    assert split_sentences("Good. Bad! 3.5 inch?") == ["Good", "Bad", "3.5 inch"]
    assert split_clauses("屏幕很好，但是电池不行。") == ["屏幕很好", "电池不行"]
    assert split_clauses("The screen is nice but the battery is bad") == [
        "The screen is nice",
        "the battery is bad",
    ]
