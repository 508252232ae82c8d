from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.factorization.als import ImplicitALS, ImplicitALSConfig
from recommender.algorithms.factorization.als_training import ImplicitALSTrainer
from recommender.dataset import Dataset
from recommender.types import Histories, InsufficientDataError, TrainingCancelled

SMALL = ImplicitALSConfig(factors=6, regularisation=0.5, confidence=4.0, decay=0.5)


@pytest.fixture(scope="module")
def model(board: Dataset) -> ImplicitALSTrainer:
    model = ImplicitALSTrainer(SMALL)
    model.fit(board, np.random.default_rng(0))
    return model


def test_folding_in_solves_the_regularised_normal_equations(model: ImplicitALSTrainer) -> None:
    factors = model._to_arrays()["factors"].astype(np.float64)
    history_factors, confidence = factors[[3, 7, 5]], 4.0 * np.array([0.25, 0.5, 1.0])
    system = factors.T @ factors + 0.5 * np.eye(6) + history_factors.T @ np.diag(confidence) @ history_factors
    expected = np.linalg.solve(system, history_factors.T @ (1 + confidence))
    np.testing.assert_allclose(
        model.fold_in(Histories.from_lists([[3, 7, 5]]))[0], expected, rtol=1e-3, atol=1e-4
    )


def test_a_history_that_is_folded_in_gets_mostly_items_of_its_own_colour(
    model: ImplicitALSTrainer, board: Dataset
) -> None:
    recommendations = model.recommend(Histories.from_lists([[0, 4, 2], [1, 7, 3]]), 4)
    assert (recommendations.items % 2 == [[0], [1]]).mean() > 0.7


def test_an_item_nobody_chose_has_no_factors() -> None:
    model = ImplicitALSTrainer(ImplicitALSConfig(factors=2))
    model.fit(Dataset.from_sequences([[0, 1], [1, 2], [0, 2]], n_items=5), np.random.default_rng(0))
    assert (model.score(Histories.from_lists([[0]]))[0, 3:] == 0).all()


def test_an_empty_history_scores_zero(model: ImplicitALSTrainer) -> None:
    assert (model.score(Histories.from_lists([[]])) == 0).all()


def test_an_event_without_weight_does_not_count(model: ImplicitALSTrainer) -> None:
    item = np.array([3, 5], np.int32)
    with_zero_weight = Histories(np.array([0, 2]), item, np.array([0, 1], np.float32))
    np.testing.assert_allclose(
        model.score(with_zero_weight), model.score(Histories.from_lists([[5]])), rtol=1e-4
    )


def test_another_seed_makes_another_model_and_the_global_random_state_is_unchanged(board: Dataset) -> None:
    np.random.seed(5)
    expected = np.random.default_rng(0)
    before = np.random.get_state()[1].copy()
    one_model, other_model = ImplicitALSTrainer(SMALL), ImplicitALSTrainer(SMALL)
    one_model.fit(board, expected)
    other_model.fit(board, np.random.default_rng(1))
    assert (np.random.get_state()[1] == before).all()
    assert not np.array_equal(
        one_model.score(Histories.from_lists([[1]])), other_model.score(Histories.from_lists([[1]]))
    )


def test_a_fit_reports_each_round_and_can_be_stopped(board: Dataset) -> None:
    fractions: list[float] = []

    def stop(_phase: str, fraction: float) -> None:
        fractions.append(fraction)
        if fraction > 0.2:
            raise TrainingCancelled

    with pytest.raises(TrainingCancelled):
        ImplicitALSTrainer(SMALL, on_progress=stop).fit(board, np.random.default_rng(0))
    assert fractions == pytest.approx([1 / 8, 2 / 8])


def test_a_serving_process_does_not_train(board: Dataset) -> None:
    with pytest.raises(InsufficientDataError, match="does not train"):
        ImplicitALS().fit(board, np.random.default_rng(0))
