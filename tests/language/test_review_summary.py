"""Review summaries are counts over reviewers."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.language.reviews.aggregation import (
    MIN_REVIEWERS,
    AnalysedReview,
    ReviewAnalysis,
    aggregate_reviews,
    build_review_features,
)
from recommender.language.reviews.summary import EMPTY_SUMMARY_TABLE, ReviewSummaryTable
from recommender.types import DataError


def analysed_reviews(item: int, signs: list[int]) -> list[AnalysedReview]:
    """One review per sign, each of another person, about the aspect "fit"."""
    reviews = []
    for n, sign in enumerate(signs):
        analysis = ReviewAnalysis(0.9 if sign > 0 else 0.1, {"fit": sign})
        reviews.append(AnalysedReview(item, f"p{n}".encode(), n, analysis))
    return reviews


def test_aspect_fractions_are_of_the_reviewers_with_an_opinion() -> None:
    without_aspects = [AnalysedReview(1, b"q", 0, ReviewAnalysis(0.9))]
    summary = aggregate_reviews(analysed_reviews(1, [1, 1, 1, 1, -1]) + without_aspects).get_item(1)
    assert summary is not None
    assert (summary.n_reviewers, summary.n_positive) == (6, 5)
    assert (summary.aspects["fit"].n_reviewers, summary.aspects["fit"].positive_fraction) == (5, 0.8)


def test_items_and_aspects_with_fewer_than_five_reviewers_are_left_out() -> None:
    assert MIN_REVIEWERS == 5
    table = aggregate_reviews(
        analysed_reviews(1, [1] * 4)
        + analysed_reviews(2, [1] * 4)
        + [AnalysedReview(2, b"q", 0, ReviewAnalysis(0.9))]
    )
    assert table.get_item(1) is None
    second = table.get_item(2)
    assert second is not None
    assert second.aspects == {}


def test_a_person_counts_once_with_the_latest_review() -> None:
    latest = AnalysedReview(1, b"p0", 99, ReviewAnalysis(0.1, {"fit": -1}))
    summary = aggregate_reviews([latest, *analysed_reviews(1, [1] * 5)]).get_item(1)
    assert summary is not None
    assert (summary.n_reviewers, summary.n_positive) == (5, 4)


def test_an_intent_of_fewer_than_five_reviewers_is_left_out() -> None:
    analyses = [ReviewAnalysis(0.5, {}, frozenset({"return"} if n < 5 else {"ask"})) for n in range(9)]
    summary = aggregate_reviews(
        AnalysedReview(1, str(n).encode(), 0, analysis) for n, analysis in enumerate(analyses)
    ).get_item(1)
    assert summary is not None
    assert summary.intents == {"return": 5}


def test_serialisation_round_trip() -> None:
    table = aggregate_reviews(analysed_reviews(7, [1, 1, 1, 1, -1]) + analysed_reviews(3, [-1] * 6))
    loaded = ReviewSummaryTable.from_bytes(table.to_bytes())
    assert [loaded.get_item(item) for item in (3, 7, 5)] == [table.get_item(item) for item in (3, 7, 5)]
    assert len(ReviewSummaryTable.from_bytes(EMPTY_SUMMARY_TABLE.to_bytes())) == 0


@pytest.mark.parametrize("damaged", [b"", b"\xff" * 40, b"{}", EMPTY_SUMMARY_TABLE.to_bytes()[:-3]])
def test_a_damaged_table_is_refused(damaged: bytes) -> None:
    with pytest.raises(DataError):
        ReviewSummaryTable.from_bytes(damaged)


def test_features_of_items_with_few_reviewers_are_shrunk() -> None:
    features = build_review_features(
        aggregate_reviews(
            analysed_reviews(1, [1] * 5) + analysed_reviews(2, [1] * 50) + analysed_reviews(3, [-1] * 50)
        ),
        [1, 2, 3, 4],
        ("fit",),
    )
    assert 0 < features.mean_sentiment[0] < features.mean_sentiment[1]
    assert features.mean_sentiment[2] < 0 == features.mean_sentiment[3]
    assert 0 < features.aspect_sentiment[0, 0] < features.aspect_sentiment[1, 0]
    assert features.to_matrix().shape == (4, 3)
    assert np.isfinite(features.to_matrix()).all()


def test_an_aspect_can_be_dropped() -> None:
    summary = aggregate_reviews(analysed_reviews(1, [1] * 5)).drop_aspects({"fit"}).get_item(1)
    assert summary is not None
    assert summary.aspects == {}


def test_dropping_an_aspect_keeps_the_others() -> None:
    reviews = []
    for n in range(6):
        for item in (1, 2):
            aspects = {"fit": 1, "colour": -1, "price": 1} if item == 2 else {"fit": -1, "price": -1}
            reviews.append(AnalysedReview(item, f"p{n}".encode(), n, ReviewAnalysis(0.9, aspects)))
    table = aggregate_reviews(reviews)
    reduced = table.drop_aspects({"colour", "unknown"})
    assert reduced.aspect_names == ("fit", "price")
    for item in (1, 2):
        before, after = table.get_item(item), reduced.get_item(item)
        assert before is not None
        assert after is not None
        assert after.aspects == {name: before.aspects[name] for name in ("fit", "price")}
    assert table.drop_aspects({"unknown"}) is table
