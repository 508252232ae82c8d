from __future__ import annotations

import numpy as np

from recommender.algorithms.neighbourhood.ease import Ease, EaseConfig, compute_spd_inverse
from recommender.dataset import Dataset
from recommender.types import Float32Array, Histories


def test_the_inverse_is_the_inverse() -> None:
    root = np.random.default_rng(0).standard_normal((30, 30)).astype(np.float32)
    matrix = np.asfortranarray(root @ root.T + 30 * np.eye(30, dtype=np.float32))
    np.testing.assert_allclose(compute_spd_inverse(matrix.copy(order="F")) @ matrix, np.eye(30), atol=1e-4)


def test_without_truncation_it_is_the_closed_form(board: Dataset) -> None:
    model = Ease(EaseConfig(regularisation=5.0, decay=1.0))
    model.fit(board, np.random.default_rng(0))
    choices = np.zeros((board.n_users, board.n_items))
    choices[board.histories.row_ids(), board.histories.item] = 1
    inverse = np.linalg.inv(choices.T @ choices + 5 * np.eye(board.n_items))
    closed = -inverse / np.diag(inverse)
    np.fill_diagonal(closed, 0)
    np.testing.assert_allclose(
        model.score(Histories.from_lists([[0, 2]]))[0], closed[0] + closed[2], atol=1e-4
    )


def test_a_catalogue_above_the_bound_is_solved_item_by_item_and_says_so(board: Dataset) -> None:
    model = Ease(EaseConfig(regularisation=5.0, dense_items=10, n_candidates=12))
    model.fit(board, np.random.default_rng(0))
    assert model.fit_note == "each of 24 items is explained by its 12 closest"
    answer = model.recommend(Histories.from_lists([[0, 4, 2], [1, 7, 3]]), 8)
    assert (answer.items % 2 == [[0], [1]]).all()


def test_item_by_item_with_every_other_item_is_the_dense_solution(board: Dataset) -> None:
    dense, sparse = (fitted(board, dense_items=bound, closest=24) for bound in (24, 10))
    np.testing.assert_allclose(everything(sparse), everything(dense), atol=1e-4)


def test_item_by_item_with_few_items_ranks_much_as_the_dense_solution() -> None:
    rng = np.random.default_rng(3)
    rows = [(20 * rng.integers(0, 6) + rng.permutation(30)[:7]).tolist() for _ in range(600)]
    world = Dataset.from_sequences(rows, n_items=130)
    dense, sparse = (fitted(world, dense_items=bound, closest=25) for bound in (200, 10))
    same = [
        len(set(ours) & set(theirs)) / 5
        for ours, theirs in zip(best(sparse, rows[:200]), best(dense, rows[:200]), strict=True)
    ]
    assert np.mean(same) > 0.7


def test_an_item_that_nobody_chose_together_with_another_scores_zero() -> None:
    world = Dataset.from_sequences([[0, 1], [0, 1], [2]], n_items=4)
    scores = everything(fitted(world, dense_items=1, closest=2))
    assert (scores[:, 2:] == 0).all()
    assert scores[0, 1] > 0


def fitted(data: Dataset, *, dense_items: int, closest: int) -> Ease:
    model = Ease(EaseConfig(regularisation=5.0, dense_items=dense_items, n_candidates=closest))
    model.fit(data, np.random.default_rng(0))
    return model


def everything(model: Ease) -> Float32Array:
    return model.score(Histories.from_lists([[item] for item in range(model.items)]))


def best(model: Ease, rows: list[list[int]]) -> list[list[int]]:
    return model.recommend(Histories.from_lists(rows), 5).items.tolist()
