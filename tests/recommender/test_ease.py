from __future__ import annotations

import numpy as np

from recommender.algorithms.ease import Ease, EaseConfig, inverse_of_positive
from recommender.dataset import Dataset
from recommender.types import Histories


def test_the_inverse_is_the_inverse() -> None:
    root = np.random.default_rng(0).standard_normal((30, 30)).astype(np.float32)
    matrix = np.asfortranarray(root @ root.T + 30 * np.eye(30, dtype=np.float32))
    np.testing.assert_allclose(inverse_of_positive(matrix.copy(order="F")) @ matrix, np.eye(30), atol=1e-4)


def test_without_truncation_it_is_the_closed_form(board: Dataset) -> None:
    model = Ease(EaseConfig(regularisation=5.0, decay=1.0))
    model.fit(board, np.random.default_rng(0))
    choices = np.zeros((board.users, board.items))
    choices[board.histories.owners(), board.histories.item] = 1
    inverse = np.linalg.inv(choices.T @ choices + 5 * np.eye(board.items))
    closed = -inverse / np.diag(inverse)
    np.fill_diagonal(closed, 0)
    np.testing.assert_allclose(model.score(Histories.of([[0, 2]]))[0], closed[0] + closed[2], atol=1e-4)


def test_a_catalogue_above_the_bound_keeps_the_most_chosen_and_says_so(board: Dataset) -> None:
    model = Ease(EaseConfig(regularisation=5.0, dense_items=10))
    model.fit(board, np.random.default_rng(0))
    chosen = np.bincount(board.item, minlength=board.items)
    left_out = np.argsort(-chosen, kind="stable")[10:]
    assert model.note == "only the 10 most chosen of 24 items take part"
    assert (model.score(Histories.of([list(range(board.items))]))[0, left_out] == 0).all()
