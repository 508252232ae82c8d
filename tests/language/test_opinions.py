"""Opinions are counts over people."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.language.reviews.summary import (
    EMPTY_SUMMARY_TABLE,
    MIN_REVIEWERS,
    AnalysedReview,
    ReviewAnalysis,
    ReviewSummaryTable,
    aggregate_reviews,
    build_review_features,
)
from recommender.types import DataError


def voices(item: int, signs: list[int], *, first: int = 0) -> list[AnalysedReview]:
    return [
        AnalysedReview(
            item, f"p{first + n}".encode(), n, ReviewAnalysis(0.9 if sign > 0 else 0.1, {"fit": sign})
        )
        for n, sign in enumerate(signs)
    ]


def test_shares_are_of_the_people_who_had_an_opinion() -> None:
    quiet = [AnalysedReview(1, b"q", 0, ReviewAnalysis(0.9))]
    opinion = aggregate_reviews(voices(1, [1, 1, 1, 1, -1]) + quiet).get_item(1)
    assert opinion is not None
    assert (opinion.n_reviewers, opinion.n_positive) == (6, 5)
    assert (opinion.aspects["fit"].n_reviewers, opinion.aspects["fit"].positive_fraction) == (5, 0.8)


def test_an_item_or_an_aspect_that_fewer_than_five_spoke_about_is_not_there() -> None:
    assert MIN_REVIEWERS == 5
    few = aggregate_reviews(
        voices(1, [1] * 4) + voices(2, [1] * 4) + [AnalysedReview(2, b"q", 0, ReviewAnalysis(0.9))]
    )
    assert few.get_item(1) is None
    two = few.get_item(2)
    assert two is not None
    assert two.aspects == {}


def test_who_writes_again_counts_once_by_the_latest_review() -> None:
    again = AnalysedReview(1, b"p0", 99, ReviewAnalysis(0.1, {"fit": -1}))
    opinion = aggregate_reviews([again, *voices(1, [1] * 5)]).get_item(1)
    assert opinion is not None
    assert (opinion.n_reviewers, opinion.n_positive) == (5, 4)


def test_an_intent_of_fewer_than_five_people_is_not_told() -> None:
    readings = [ReviewAnalysis(0.5, {}, frozenset({"return"} if n < 5 else {"ask"})) for n in range(9)]
    opinion = aggregate_reviews(
        AnalysedReview(1, str(n).encode(), 0, one) for n, one in enumerate(readings)
    ).get_item(1)
    assert opinion is not None
    assert opinion.intents == {"return": 5}


def test_what_is_written_is_read_again() -> None:
    made = aggregate_reviews(voices(7, [1, 1, 1, 1, -1]) + voices(3, [-1] * 6))
    again = ReviewSummaryTable.from_bytes(made.to_bytes())
    assert [again.get_item(item) for item in (3, 7, 5)] == [made.get_item(item) for item in (3, 7, 5)]
    assert len(ReviewSummaryTable.from_bytes(EMPTY_SUMMARY_TABLE.to_bytes())) == 0


@pytest.mark.parametrize("damaged", [b"", b"\xff" * 40, b"{}", EMPTY_SUMMARY_TABLE.to_bytes()[:-3]])
def test_a_damaged_table_is_refused(damaged: bytes) -> None:
    with pytest.raises(DataError):
        ReviewSummaryTable.from_bytes(damaged)


def test_few_voices_move_an_item_less_than_many() -> None:
    features = build_review_features(
        aggregate_reviews(voices(1, [1] * 5) + voices(2, [1] * 50) + voices(3, [-1] * 50)),
        [1, 2, 3, 4],
        ("fit",),
    )
    assert 0 < features.mean_sentiment[0] < features.mean_sentiment[1]
    assert features.mean_sentiment[2] < 0 == features.mean_sentiment[3]
    assert 0 < features.aspect_sentiment[0, 0] < features.aspect_sentiment[1, 0]
    assert features.to_matrix().shape == (4, 3)
    assert np.isfinite(features.to_matrix()).all()


def test_an_aspect_can_be_taken_away() -> None:
    left = aggregate_reviews(voices(1, [1] * 5)).drop_aspects({"fit"}).get_item(1)
    assert left is not None
    assert left.aspects == {}
