from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.content.feature_interactions_training import FeatureInteractionTrainer
from recommender.dataset import Dataset, ItemContent
from recommender.types import Histories, InsufficientDataError


@pytest.fixture(scope="module")
def model(board: Dataset) -> FeatureInteractionTrainer:
    model = FeatureInteractionTrainer()
    model.fit(board, np.random.default_rng(0))
    return model


def test_a_score_is_the_weighted_product_of_both_features_and_a_constant(
    model: FeatureInteractionTrainer,
) -> None:
    arrays = model._to_arrays()
    histories = Histories.from_lists([[0, 4]])
    user = model.compute_user_features(histories)[0]
    expected = [(arrays["weight"] * user * item).sum() + arrays["bias"][0] for item in arrays["vectors"]]
    np.testing.assert_allclose(model.score(histories)[0], expected, rtol=1e-4, atol=1e-5)


def test_user_features_are_the_recency_weighted_mean(model: FeatureInteractionTrainer) -> None:
    vectors = model._to_arrays()["vectors"]
    mean = 0.65 * vectors[0] + vectors[4]
    np.testing.assert_allclose(
        model.compute_user_features(Histories.from_lists([[0, 4]]))[0], mean / np.linalg.norm(mean), atol=1e-6
    )


def test_a_predictive_feature_weighs_more_than_an_uninformative_one() -> None:
    """The first word decides who chooses what, the second says nothing."""
    texts = tuple(
        f"{'red' if item % 2 else 'blue'} {'big' if item % 4 < 2 else 'small'}" for item in range(40)
    )
    rng = np.random.default_rng(0)
    rows = [(2 * rng.permutation(20)[:6] + user % 2).tolist() for user in range(150)]
    model = FeatureInteractionTrainer()
    model.fit(Dataset.from_sequences(rows, n_items=40, content=ItemContent(texts)), rng)
    scores = model.score(Histories.from_lists([[0]]))[0]
    same_colour, same_size = scores[2], scores[1]
    assert same_colour > same_size + 2


def test_the_history_of_a_pair_ends_before_it() -> None:
    rows = Histories.from_lists([[1, 2, 3], [4, 5]]).slice_prefixes(np.array([1, 2, 4]), max_length=50)
    assert [rows.slice_row(number).tolist() for number in range(3)] == [[1], [1, 2], [4]]


def test_the_history_of_a_pair_is_no_longer_than_the_maximum() -> None:
    rows = Histories.from_lists([[1, 2, 3, 4]]).slice_prefixes(np.array([3]), max_length=2)
    assert rows.slice_row(0).tolist() == [2, 3]


def test_texts_without_words_are_refused() -> None:
    data = Dataset.from_sequences([[0, 1]], n_items=2, content=ItemContent(("...", "!")))
    with pytest.raises(InsufficientDataError, match="no item has a text"):
        FeatureInteractionTrainer().fit(data, np.random.default_rng(0))
