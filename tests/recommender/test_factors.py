from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.factors import FactorsConfig, FactorsScorer
from recommender.algorithms.factors_training import FactorsTrainer
from recommender.dataset import Dataset
from recommender.types import Cancelled, CannotFit, Histories

SMALL = FactorsConfig(factors=6, regularisation=0.5, confidence=4.0, decay=0.5)


@pytest.fixture(scope="module")
def model(board: Dataset) -> FactorsTrainer:
    model = FactorsTrainer(SMALL)
    model.fit(board, np.random.default_rng(0))
    return model


def test_folding_in_solves_the_regularised_normal_equations(model: FactorsTrainer) -> None:
    factors = model._arrays()["factors"].astype(np.float64)
    chosen, confidence = factors[[3, 7, 5]], 4.0 * np.array([0.25, 0.5, 1.0])
    system = factors.T @ factors + 0.5 * np.eye(6) + chosen.T @ np.diag(confidence) @ chosen
    expected = np.linalg.solve(system, chosen.T @ (1 + confidence))
    np.testing.assert_allclose(model.fold_in(Histories.of([[3, 7, 5]]))[0], expected, rtol=1e-3, atol=1e-4)


def test_a_history_that_is_folded_in_gets_mostly_items_of_its_own_colour(
    model: FactorsTrainer, board: Dataset
) -> None:
    answer = model.recommend(Histories.of([[0, 4, 2], [1, 7, 3]]), 4)
    assert (answer.items % 2 == [[0], [1]]).mean() > 0.7


def test_an_item_nobody_chose_has_no_factors() -> None:
    model = FactorsTrainer(FactorsConfig(factors=2))
    model.fit(Dataset.from_sequences([[0, 1], [1, 2], [0, 2]], items=5), np.random.default_rng(0))
    assert (model.score(Histories.of([[0]]))[0, 3:] == 0).all()


def test_an_empty_history_scores_zero(model: FactorsTrainer) -> None:
    assert (model.score(Histories.of([[]])) == 0).all()


def test_an_event_without_weight_does_not_count(model: FactorsTrainer) -> None:
    item = np.array([3, 5], np.int32)
    with_nothing = Histories(np.array([0, 2]), item, np.array([0, 1], np.float32))
    np.testing.assert_allclose(model.score(with_nothing), model.score(Histories.of([[5]])), rtol=1e-4)


def test_another_seed_makes_another_model_and_the_process_keeps_its_own(board: Dataset) -> None:
    np.random.seed(5)
    expected = np.random.default_rng(0)
    before = np.random.get_state()[1].copy()
    first, second = FactorsTrainer(SMALL), FactorsTrainer(SMALL)
    first.fit(board, expected)
    second.fit(board, np.random.default_rng(1))
    assert (np.random.get_state()[1] == before).all()
    assert not np.array_equal(first.score(Histories.of([[1]])), second.score(Histories.of([[1]])))


def test_a_fit_reports_each_round_and_can_be_stopped(board: Dataset) -> None:
    heard: list[float] = []

    def stop(_phase: str, fraction: float) -> None:
        heard.append(fraction)
        if fraction > 0.2:
            raise Cancelled

    with pytest.raises(Cancelled):
        FactorsTrainer(SMALL, report=stop).fit(board, np.random.default_rng(0))
    assert heard == pytest.approx([1 / 8, 2 / 8])


def test_a_serving_process_does_not_train(board: Dataset) -> None:
    with pytest.raises(CannotFit, match="does not train"):
        FactorsScorer().fit(board, np.random.default_rng(0))
