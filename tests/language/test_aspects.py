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
    ("text", "polarities"),
    [
        ("The screen is beautiful but the battery is terrible.", {"screen": 1, "battery": -1}),
        ("The battery is not bad.", {"battery": 1}),
        ("I don't like the color.", {"colour": -1}),
        ("It has a battery.", {}),
        ("Good battery. Good battery! A poor battery.", {"battery": 1}),
    ],
)
def test_aspect_polarities_in_english(text: str, polarities: dict[str, int]) -> None:
    assert compute_aspect_polarities(text, "en") == polarities


@pytest.mark.parametrize(
    ("text", "polarities"),
    [
        ("屏幕很漂亮，但是电池太差了。", {"screen": 1, "battery": -1}),
        ("质量不错，就是物流有点慢", {"quality": 1, "delivery": -1}),
        ("味道不好", {"taste": -1}),
        ("服务没有问题", {"service": 1}),
        ("电池非常给力，屏幕特别清晰", {"battery": 1, "screen": 1}),
        ("有电池", {}),
    ],
)
def test_aspect_polarities_in_chinese(text: str, polarities: dict[str, int]) -> None:
    assert compute_aspect_polarities(text, "zh") == polarities


def test_an_aspect_of_a_clause_without_opinion_words_has_no_polarity() -> None:
    assert compute_aspect_polarities("The battery lasts forever", "en") == {}


def test_the_longest_opinion_word_is_matched() -> None:
    assert [opinion.sign for opinion in find_opinion_words("不好", "zh")] == [-1]
    assert sum_polarity("不足", "zh") == -1


def test_a_negation_inverts_opinion_words_within_three_words() -> None:
    assert sum_polarity("not a very good phone", "en") == -1
    assert sum_polarity("not what the other four people said good", "en") == 1


def test_the_polarity_of_a_term_is_that_of_its_clause_before_that_of_the_sentence() -> None:
    assert infer_term_polarity("battery", "great phone, awful battery, great screen") == -1
    assert infer_term_polarity("zoom", "the zoom, awful") == -1


def test_every_aspect_has_terms_in_both_languages_and_a_translated_name() -> None:
    assert (
        set(load_aspect_terms("en").values())
        == set(load_aspect_terms("zh").values())
        == set(load_aspect_names())
    )
    assert set(ASPECT_NAMES) == set(load_aspect_names())
