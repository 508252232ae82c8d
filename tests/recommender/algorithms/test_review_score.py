"""What reviews say ranks, as far as there is anything said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.algorithms.content.feature_interactions_training import append_review_features
from recommender.algorithms.content.review_score import ReviewScore, ReviewScoreConfig
from recommender.dataset import Dataset, ItemReviewFeatures
from recommender.fitting.training_profiles import select_models_for_data
from recommender.types import DataError, Histories, InsufficientDataError

REGARD = np.array([0.1, -0.2, 0.3, 0.0], np.float32)
FIT = np.array([[0.2], [-0.2], [0.1], [0.0]], np.float32)
SAID = ItemReviewFeatures(("fit",), REGARD, REGARD * 0, FIT)
ROWS = [[0, 1], [1, 2], [0, 2, 3], [3, 1]]


def data(opinions: ItemReviewFeatures | None) -> Dataset:
    return replace(Dataset.from_sequences(ROWS, n_items=4), review_features=opinions)


def fitted(config: ReviewScoreConfig | None = None) -> ReviewScore:
    model = ReviewScore(config)
    model.fit(data(SAID), np.random.default_rng(0))
    return model


def test_without_a_history_the_best_regarded_come_first() -> None:
    assert fitted().recommend(Histories.from_lists([[]]), 4).items.tolist() == [[2, 0, 3, 1]]


def test_who_chose_what_is_praised_for_its_fit_is_shown_more_of_that() -> None:
    scores = fitted(ReviewScoreConfig(aspect_weight=10.0)).score(Histories.from_lists([[0]]))
    assert scores[0, 2] > scores[0, 3] > scores[0, 1]


@pytest.mark.parametrize(
    "opinions", [None, replace(SAID, mean_sentiment=REGARD * 0, aspect_sentiment=FIT * 0)]
)
def test_without_reviews_it_cannot_learn_and_says_so(opinions: ItemReviewFeatures | None) -> None:
    with pytest.raises(InsufficientDataError, match="no item has enough reviews"):
        ReviewScore().fit(data(opinions), np.random.default_rng(0))


def test_opinions_of_another_catalogue_are_refused() -> None:
    with pytest.raises(DataError, match="one row of opinions"):
        data(replace(SAID, mean_sentiment=REGARD[:2], aspect_sentiment=FIT[:2]))


def test_a_training_fits_it_where_there_are_reviews_and_names_it_nowhere_else() -> None:
    assert "review_score" in select_models_for_data(data(SAID))
    assert "review_score" not in select_models_for_data(data(None))


def test_opinions_stand_beside_the_text_in_the_features_of_an_item() -> None:
    text = np.eye(4, dtype=np.float32)
    both = append_review_features(text, SAID)
    assert both.shape == (4, 7)
    assert np.allclose(np.linalg.norm(both, axis=1), 1)
    assert (np.sign(both[:, 6]) == np.sign(FIT[:, 0])).all()
    assert append_review_features(text, None) is text
