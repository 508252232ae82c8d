"""The analyzer returns an analysis or counts a review as skipped, whatever the text contains."""

from __future__ import annotations

import time

import numpy as np
import pytest

from recommender.language.encoders.use import UniversalSentenceEncoder
from recommender.language.intents.classifier import IntentSentence, load_intent_dataset
from recommender.language.intents.evaluation import evaluate_intents
from recommender.language.reviews.analyzer import NO_TEXT, OTHER_LANGUAGE, ReviewAnalyzer, ReviewText
from recommender.language.reviews.load_analyzer import load_review_analyzer


@pytest.fixture(scope="module")
def analyzer() -> ReviewAnalyzer:
    return load_review_analyzer()


def test_sentiment_aspects_and_intents_are_found_in_both_languages(analyzer: ReviewAnalyzer) -> None:
    analyses = analyzer.analyze_reviews(
        [
            ReviewText("", "Excellent battery, I love this phone. I would buy it again."),
            ReviewText("", "Terrible battery, it broke after a day. I want my money back."),
            ReviewText("", "电池很好，非常满意，下次还会再来买。"),
            ReviewText("", "电池太差，非常失望，我要退货。"),
        ]
    )
    assert [analysis is not None and analysis.sentiment > 0.5 for analysis in analyses] == [
        True,
        False,
        True,
        False,
    ]
    assert [analysis and dict(analysis.aspects) for analysis in analyses] == [
        {"battery": 1},
        {"battery": -1},
    ] * 2
    assert [analysis and "buy_again" in analysis.intents for analysis in analyses] == [
        True,
        False,
        True,
        False,
    ]
    assert [analysis and "return" in analysis.intents for analysis in analyses] == [False, True, False, True]


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
def test_a_review_of_a_megabyte_is_analysed_in_bounded_time(analyzer: ReviewAnalyzer, text: str) -> None:
    started = time.process_time()
    [analysis] = analyzer.analyze_reviews([ReviewText(text, text)])
    assert time.process_time() - started < 5.0
    assert analysis is None or np.isfinite(analysis.sentiment)


def test_skipped_reviews_are_counted_and_keep_their_position() -> None:
    analyzer = load_review_analyzer()
    analyses = analyzer.analyze_reviews(
        [
            ReviewText("", ""),
            ReviewText("", "很好"),
            ReviewText("", "Das ist nicht gut und sehr teuer"),
            ReviewText("", "great"),
        ]
    )
    assert [analysis is None for analysis in analyses] == [True, False, True, False]
    assert analyzer.skipped == {NO_TEXT: 1, OTHER_LANGUAGE: 1}


def test_no_reviews_give_no_analyses(analyzer: ReviewAnalyzer) -> None:
    assert analyzer.analyze_reviews([]) == []


def test_intents_of_unseen_sentences_are_mostly_correct() -> None:
    """On half of the sentences; the `evaluate` command evaluates all of them."""
    sentences: list[IntentSentence] = list(load_intent_dataset())[::2]
    metrics = evaluate_intents(sentences, UniversalSentenceEncoder())
    assert metrics.accuracy >= 0.75 > 3 * metrics.majority_accuracy
