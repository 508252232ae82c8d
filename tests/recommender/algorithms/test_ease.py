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
    interactions = np.zeros((board.n_users, board.n_items))
    interactions[board.histories.row_ids(), board.histories.item] = 1
    inverse = np.linalg.inv(interactions.T @ interactions + 5 * np.eye(board.n_items))
    closed = -inverse / np.diag(inverse)
    np.fill_diagonal(closed, 0)
    np.testing.assert_allclose(
        model.score(Histories.from_lists([[0, 2]]))[0], closed[0] + closed[2], atol=1e-4
    )


def test_a_catalogue_above_the_bound_is_solved_item_by_item_with_a_note(board: Dataset) -> None:
    model = Ease(EaseConfig(regularisation=5.0, dense_items=10, n_candidates=12))
    model.fit(board, np.random.default_rng(0))
    assert model.fit_note == "each of 24 items is explained by its 12 closest"
    recommendations = model.recommend(Histories.from_lists([[0, 4, 2], [1, 7, 3]]), 8)
    assert (recommendations.items % 2 == [[0], [1]]).all()


def test_item_by_item_with_every_other_item_is_the_dense_solution(board: Dataset) -> None:
    dense, sparse = (fit_ease(board, dense_items=bound, n_candidates=24) for bound in (24, 10))
    np.testing.assert_allclose(score_each_item(sparse), score_each_item(dense), atol=1e-4)


def test_item_by_item_with_few_items_ranks_much_as_the_dense_solution() -> None:
    rng = np.random.default_rng(3)
    rows = [(20 * rng.integers(0, 6) + rng.permutation(30)[:7]).tolist() for _ in range(600)]
    data = Dataset.from_sequences(rows, n_items=130)
    dense, sparse = (fit_ease(data, dense_items=bound, n_candidates=25) for bound in (200, 10))
    overlaps = [
        len(set(sparse_row) & set(dense_row)) / 5
        for sparse_row, dense_row in zip(
            recommend_five(sparse, rows[:200]), recommend_five(dense, rows[:200]), strict=True
        )
    ]
    assert np.mean(overlaps) > 0.7


def test_an_item_that_nobody_chose_together_with_another_scores_zero() -> None:
    data = Dataset.from_sequences([[0, 1], [0, 1], [2]], n_items=4)
    scores = score_each_item(fit_ease(data, dense_items=1, n_candidates=2))
    assert (scores[:, 2:] == 0).all()
    assert scores[0, 1] > 0


def fit_ease(data: Dataset, *, dense_items: int, n_candidates: int) -> Ease:
    model = Ease(EaseConfig(regularisation=5.0, dense_items=dense_items, n_candidates=n_candidates))
    model.fit(data, np.random.default_rng(0))
    return model


def score_each_item(model: Ease) -> Float32Array:
    return model.score(Histories.from_lists([[item] for item in range(model.items)]))


def recommend_five(model: Ease, rows: list[list[int]]) -> list[list[int]]:
    return model.recommend(Histories.from_lists(rows), 5).items.tolist()
