"""Each aspect gets the opinion of its own clause."""

from __future__ import annotations

import pytest

from recommender.language.aspects.extraction import compute_aspect_polarities, infer_term_polarity
from recommender.language.preprocessing.lexicon import (
    find_opinion_words,
    load_aspect_names,
    load_aspect_terms,
    sum_polarity,
)
from recommender.serving.explanations.review_reasons import ASPECT_NAMES


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("The screen is beautiful but the battery is terrible.", {"screen": 1, "battery": -1}),
        ("The battery is not bad.", {"battery": 1}),
        ("I don't like the color.", {"colour": -1}),
        ("It has a battery.", {}),
        ("Good battery. Good battery! A poor battery.", {"battery": 1}),
    ],
)
def test_english(text: str, told: dict[str, int]) -> None:
    assert compute_aspect_polarities(text, "en") == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("屏幕很漂亮，但是电池太差了。", {"screen": 1, "battery": -1}),
        ("质量不错，就是物流有点慢", {"quality": 1, "delivery": -1}),
        ("味道不好", {"taste": -1}),
        ("服务没有问题", {"service": 1}),
        ("电池非常给力，屏幕特别清晰", {"battery": 1, "screen": 1}),
        ("有电池", {}),
    ],
)
def test_chinese(text: str, told: dict[str, int]) -> None:
    assert compute_aspect_polarities(text, "zh") == told


def test_a_clause_without_opinion_words_takes_a_sure_sentiment_where_one_is_given() -> None:
    assert compute_aspect_polarities("The battery lasts forever", "en", lambda _clause, _language: 3.0) == {
        "battery": 1
    }
    assert compute_aspect_polarities("The battery lasts forever", "en", lambda _clause, _language: 0.2) == {}


def test_the_longest_word_counts_and_not_one_inside_it() -> None:
    assert [opinion.sign for opinion in find_opinion_words("不好", "zh")] == [-1]
    assert sum_polarity("不足", "zh") == -1


def test_a_negation_reaches_over_no_more_than_three_words() -> None:
    assert sum_polarity("not a very good phone", "en") == -1
    assert sum_polarity("not what the other four people said good", "en") == 1


def test_a_term_takes_the_opinion_of_its_clause_before_that_of_the_sentence() -> None:
    assert infer_term_polarity("battery", "great phone, awful battery, great screen") == -1
    assert infer_term_polarity("zoom", "the zoom, awful") == -1


def test_every_aspect_has_words_in_both_languages_and_a_name_that_is_translated() -> None:
    assert (
        set(load_aspect_terms("en").values())
        == set(load_aspect_terms("zh").values())
        == set(load_aspect_names())
    )
    assert set(ASPECT_NAMES) == set(load_aspect_names())
