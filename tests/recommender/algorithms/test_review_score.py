"""Scores from review features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.algorithms.content.feature_interactions_training import append_review_features
from recommender.algorithms.content.review_score import ReviewScore, ReviewScoreConfig
from recommender.dataset import Dataset, ItemReviewFeatures
from recommender.fitting.training_profiles import select_models_for_data
from recommender.types import DataError, Histories, InsufficientDataError

SENTIMENT = np.array([0.1, -0.2, 0.3, 0.0], np.float32)
ASPECTS = np.array([[0.2], [-0.2], [0.1], [0.0]], np.float32)
FEATURES = ItemReviewFeatures(("fit",), SENTIMENT, SENTIMENT * 0, ASPECTS)
ROWS = [[0, 1], [1, 2], [0, 2, 3], [3, 1]]


def make_data(features: ItemReviewFeatures | None) -> Dataset:
    return replace(Dataset.from_sequences(ROWS, n_items=4), review_features=features)


def fit_model(config: ReviewScoreConfig | None = None) -> ReviewScore:
    model = ReviewScore(config)
    model.fit(make_data(FEATURES), np.random.default_rng(0))
    return model


def test_an_empty_history_is_ranked_by_mean_sentiment() -> None:
    assert fit_model().recommend(Histories.from_lists([[]]), 4).items.tolist() == [[2, 0, 3, 1]]


def test_items_with_the_aspects_of_the_history_rank_higher() -> None:
    scores = fit_model(ReviewScoreConfig(aspect_weight=10.0)).score(Histories.from_lists([[0]]))
    assert scores[0, 2] > scores[0, 3] > scores[0, 1]


@pytest.mark.parametrize(
    "features", [None, replace(FEATURES, mean_sentiment=SENTIMENT * 0, aspect_sentiment=ASPECTS * 0)]
)
def test_without_reviews_the_model_is_refused_with_the_reason(features: ItemReviewFeatures | None) -> None:
    with pytest.raises(InsufficientDataError, match="no item has enough reviews"):
        ReviewScore().fit(make_data(features), np.random.default_rng(0))


def test_review_features_of_another_catalogue_are_refused() -> None:
    with pytest.raises(DataError, match="one row of review features"):
        make_data(replace(FEATURES, mean_sentiment=SENTIMENT[:2], aspect_sentiment=ASPECTS[:2]))


def test_the_model_is_selected_for_data_with_reviews_only() -> None:
    assert "review_score" in select_models_for_data(make_data(FEATURES))
    assert "review_score" not in select_models_for_data(make_data(None))


def test_review_features_are_appended_to_the_text_vector() -> None:
    text = np.eye(4, dtype=np.float32)
    combined = append_review_features(text, FEATURES)
    assert combined.shape == (4, 7)
    assert np.allclose(np.linalg.norm(combined, axis=1), 1)
    assert (np.sign(combined[:, 6]) == np.sign(ASPECTS[:, 0])).all()
    assert append_review_features(text, None) is text
