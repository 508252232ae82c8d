from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from recommender.algorithms.neighbourhood.item_knn import ItemKNN, ItemKNNConfig
from recommender.dataset import Dataset
from recommender.types import Histories, InsufficientDataError

ROWS = [[0, 1, 2], [0, 1], [0, 1, 3], [2, 3], [2, 1]]


def fit_model(**settings: float) -> ItemKNN:
    model = ItemKNN(ItemKNNConfig(**settings))  # type: ignore[arg-type]
    model.fit(Dataset.from_sequences(ROWS, n_items=5), np.random.default_rng(0))
    return model


def compute_similarity(alpha: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Pair by pair from the definition."""
    users_by_item: list[set[int]] = []
    for item in range(5):
        users_by_item.append({user for user, row in enumerate(ROWS) if item in row})
    matrix = np.zeros((5, 5))
    for i, j in permutations(range(5), 2):
        n_common = len(users_by_item[i] & users_by_item[j])
        if n_common:
            cosine = n_common / np.sqrt(len(users_by_item[i]) * len(users_by_item[j]))
            matrix[i, j] = cosine * n_common / (n_common + alpha)
    return matrix


def test_the_sum_over_the_history_is_the_formula_with_shrinkage() -> None:
    scores = fit_model(shrinkage=2.0, decay=0.5).score(Histories.from_lists([[0, 2]]))[0]
    s = compute_similarity(2.0)
    np.testing.assert_allclose(scores, 0.5 * s[0] + s[2], atol=1e-6)


def test_the_mean_divides_by_the_similarity_of_all_neighbours() -> None:
    scores = fit_model(shrinkage=2.0, decay=1.0, normalisation_power=1.0).score(
        Histories.from_lists([[0, 2]])
    )[0]
    s = compute_similarity(2.0)[:4, :4]
    np.testing.assert_allclose(scores[:4], (s[0] + s[2]) / s.sum(axis=0), atol=1e-6)
    assert scores[4] == 0


def test_only_the_nearest_neighbours_of_the_target_count() -> None:
    s = compute_similarity(0.0)
    scores = fit_model(shrinkage=0.0, neighbours=1, decay=1.0).score(Histories.from_lists([[0, 1, 2, 3]]))[0]
    np.testing.assert_allclose(scores, s.max(axis=0), atol=1e-6)


def test_an_event_counts_by_its_weight() -> None:
    model = fit_model(decay=1.0)
    weighted = Histories(np.array([0, 1]), np.array([0], np.int32), np.array([4], np.float32))
    np.testing.assert_allclose(model.score(weighted), 4 * model.score(Histories.from_lists([[0]])), rtol=1e-6)


def test_more_common_users_are_needed_where_shrinkage_is_greater() -> None:
    rows = [[0, 1]] * 9 + [[2, 3]]
    model = ItemKNN(ItemKNNConfig(shrinkage=3.0))
    model.fit(Dataset.from_sequences(rows), np.random.default_rng(0))
    scores = model.score(Histories.from_lists([[0], [2]]))
    assert scores[0, 1] == pytest.approx(9 / 12)
    assert scores[1, 3] == pytest.approx(1 / 4)


def test_only_the_latest_choices_of_a_user_are_paired() -> None:
    rows = [[0, 1, 2, 3]]
    model = ItemKNN(ItemKNNConfig(max_training_history=2))
    model.fit(Dataset.from_sequences(rows), np.random.default_rng(0))
    assert np.flatnonzero(model.score(Histories.from_lists([[0, 1, 2, 3]]))[0]).tolist() == [2, 3]


def test_users_of_one_item_are_not_enough() -> None:
    with pytest.raises(InsufficientDataError):
        ItemKNN().fit(Dataset.from_sequences([[0], [1]]), np.random.default_rng(0))
