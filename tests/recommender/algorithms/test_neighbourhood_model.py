"""Members that are a table: what each event of a history adds."""

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
TABLED = ("transitions", "item_neighbours", "ease")


@pytest.mark.parametrize("kind", TABLED)
def test_what_events_add_sums_to_the_score(kind: str, every_fitted: dict[str, Recommender[Any]]) -> None:
    items = np.array([7, 0, 3, 23], np.int32)
    for member in (every_fitted[kind], every_fitted[kind].quantize()):
        assert isinstance(member, NeighbourhoodModel)
        links = member.compute_contributions(HISTORY, WEIGHT, items)
        assert links.shape == (5, 4)
        assert np.count_nonzero(links) > 4
        np.testing.assert_allclose(links.sum(axis=0), member.score_history(HISTORY, WEIGHT)[items], atol=1e-5)


def test_an_event_that_no_longer_counts_adds_nothing(board: Dataset) -> None:
    member = Transitions(TransitionsConfig(history=2))
    member.fit(board, np.random.default_rng(0))
    links = member.compute_contributions(HISTORY, WEIGHT, np.arange(24, dtype=np.int32))
    assert not links[:3].any()
    assert links[3].any()
    assert links[4].any()


def test_an_item_without_neighbours_adds_nothing() -> None:
    member = Transitions()
    member.fit(Dataset.from_sequences([[0, 1], [0, 1], [2]], n_items=4), np.random.default_rng(0))
    assert not member.compute_contributions(
        np.array([2, 3], np.int32), np.ones(2, np.float32), np.arange(4, dtype=np.int32)
    ).any()
