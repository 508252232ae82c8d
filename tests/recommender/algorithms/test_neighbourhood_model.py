"""Neighbourhood models: contributions of single events to scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recommender.algorithms.base import Recommender
from recommender.algorithms.neighbourhood.model import NeighbourhoodModel
from recommender.algorithms.neighbourhood.transitions import Transitions, TransitionsConfig
from recommender.dataset import Dataset

HISTORY = np.array([0, 2, 6, 5, 2], np.int32)
WEIGHT = np.array([1, 0.5, 2, 1, 3], np.float32)
NEIGHBOURHOOD_MODELS = ("transitions", "item_neighbours", "ease")


@pytest.mark.parametrize("name", NEIGHBOURHOOD_MODELS)
def test_contributions_of_events_sum_to_the_score(
    name: str, fitted_models: dict[str, Recommender[Any]]
) -> None:
    items = np.array([7, 0, 3, 23], np.int32)
    for model in (fitted_models[name], fitted_models[name].quantize()):
        assert isinstance(model, NeighbourhoodModel)
        contributions = model.compute_contributions(HISTORY, WEIGHT, items)
        assert contributions.shape == (5, 4)
        assert np.count_nonzero(contributions) > 4
        np.testing.assert_allclose(
            contributions.sum(axis=0), model.score_history(HISTORY, WEIGHT)[items], atol=1e-5
        )


def test_an_event_beyond_the_history_contributes_nothing(board: Dataset) -> None:
    model = Transitions(TransitionsConfig(history=2))
    model.fit(board, np.random.default_rng(0))
    contributions = model.compute_contributions(HISTORY, WEIGHT, np.arange(24, dtype=np.int32))
    assert not contributions[:3].any()
    assert contributions[3].any()
    assert contributions[4].any()


def test_an_item_without_neighbours_contributes_nothing() -> None:
    model = Transitions()
    model.fit(Dataset.from_sequences([[0, 1], [0, 1], [2]], n_items=4), np.random.default_rng(0))
    assert not model.compute_contributions(
        np.array([2, 3], np.int32), np.ones(2, np.float32), np.arange(4, dtype=np.int32)
    ).any()
