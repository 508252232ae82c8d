"""A reader of reviews gives a reading or leaves out, whatever comes."""

from __future__ import annotations

import time

import numpy as np
import pytest

from recommender.language.encoders.base import UniversalSentenceEncoder
from recommender.language.intents.classifier import IntentSentence, load_intent_dataset
from recommender.language.intents.evaluation import evaluate_intents
from recommender.language.reviews.analyzer import NO_TEXT, OTHER_LANGUAGE, ReviewAnalyzer, ReviewText
from recommender.language.reviews.load_analyzer import load_review_analyzer


@pytest.fixture(scope="module")
def reader() -> ReviewAnalyzer:
    return load_review_analyzer()


def test_praise_blame_and_intent_are_read_in_both_languages(reader: ReviewAnalyzer) -> None:
    told = reader.analyze_reviews(
        [
            ReviewText("", "Excellent battery, I love this phone. I would buy it again."),
            ReviewText("", "Terrible battery, it broke after a day. I want my money back."),
            ReviewText("", "电池很好，非常满意，下次还会再来买。"),
            ReviewText("", "电池太差，非常失望，我要退货。"),
        ]
    )
    assert [one is not None and one.sentiment > 0.5 for one in told] == [True, False, True, False]
    assert [one and dict(one.aspects) for one in told] == [{"battery": 1}, {"battery": -1}] * 2
    assert [one and "buy_again" in one.intents for one in told] == [True, False, True, False]
    assert [one and "return" in one.intents for one in told] == [False, True, False, True]


@pytest.mark.parametrize(
    "text",
    [
        "good " * 200_000,
        "好" * 300_000,
        "\x00" * 1_000_000,
        "a" * 1_000_000,
        "!?。" * 300_000,
        "<b>&amp;" * 100_000,
        "good\n" * 200_000,
    ],
)
def test_a_review_of_a_megabyte_is_read_in_bounded_time(reader: ReviewAnalyzer, text: str) -> None:
    started = time.process_time()
    [told] = reader.analyze_reviews([ReviewText(text, text)])
    assert time.process_time() - started < 5.0
    assert told is None or np.isfinite(told.sentiment)


def test_what_cannot_be_read_is_counted_and_keeps_its_place() -> None:
    reader = load_review_analyzer()
    told = reader.analyze_reviews(
        [
            ReviewText("", ""),
            ReviewText("", "很好"),
            ReviewText("", "Das ist nicht gut und sehr teuer"),
            ReviewText("", "great"),
        ]
    )
    assert [one is None for one in told] == [True, False, True, False]
    assert reader.skipped == {NO_TEXT: 1, OTHER_LANGUAGE: 1}


def test_no_reviews_are_no_readings(reader: ReviewAnalyzer) -> None:
    assert reader.analyze_reviews([]) == []


def test_intents_of_unseen_sentences_are_mostly_right() -> None:
    """The whole figure is `manage.py evaluate_language`'s; a quarter of the sentences is enough for a floor."""
    some: list[IntentSentence] = list(load_intent_dataset())[::2]
    finding = evaluate_intents(some, UniversalSentenceEncoder())
    assert finding.accuracy >= 0.75 > 3 * finding.majority_accuracy
