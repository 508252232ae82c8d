"""What reviews say ranks, as far as there is anything said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.algorithms.features_training import with_opinions
from recommender.algorithms.reputation import Reputation, ReputationConfig
from recommender.dataset import Dataset, ItemOpinions
from recommender.evaluation.profiles import of_data
from recommender.types import CannotFit, DataError, Histories

REGARD = np.array([0.1, -0.2, 0.3, 0.0], np.float32)
FIT = np.array([[0.2], [-0.2], [0.1], [0.0]], np.float32)
SAID = ItemOpinions(("fit",), REGARD, REGARD * 0, FIT)
ROWS = [[0, 1], [1, 2], [0, 2, 3], [3, 1]]


def data(opinions: ItemOpinions | None) -> Dataset:
    return replace(Dataset.from_sequences(ROWS, items=4), opinions=opinions)


def fitted(config: ReputationConfig | None = None) -> Reputation:
    model = Reputation(config)
    model.fit(data(SAID), np.random.default_rng(0))
    return model


def test_without_a_history_the_best_regarded_come_first() -> None:
    assert fitted().recommend(Histories.of([[]]), 4).items.tolist() == [[2, 0, 3, 1]]


def test_who_chose_what_is_praised_for_its_fit_is_shown_more_of_that() -> None:
    scores = fitted(ReputationConfig(taste=10.0)).score(Histories.of([[0]]))
    assert scores[0, 2] > scores[0, 3] > scores[0, 1]


@pytest.mark.parametrize("opinions", [None, replace(SAID, regard=REGARD * 0, aspects=FIT * 0)])
def test_without_reviews_it_cannot_learn_and_says_so(opinions: ItemOpinions | None) -> None:
    with pytest.raises(CannotFit, match="no item has enough reviews"):
        Reputation().fit(data(opinions), np.random.default_rng(0))


def test_opinions_of_another_catalogue_are_refused() -> None:
    with pytest.raises(DataError, match="one row of opinions"):
        data(replace(SAID, regard=REGARD[:2], aspects=FIT[:2]))


def test_a_training_fits_it_where_there_are_reviews_and_names_it_nowhere_else() -> None:
    assert "reputation" in of_data(data(SAID))
    assert "reputation" not in of_data(data(None))


def test_opinions_stand_beside_the_text_in_the_features_of_an_item() -> None:
    text = np.eye(4, dtype=np.float32)
    both = with_opinions(text, SAID)
    assert both.shape == (4, 7)
    assert np.allclose(np.linalg.norm(both, axis=1), 1)
    assert (np.sign(both[:, 6]) == np.sign(FIT[:, 0])).all()
    assert with_opinions(text, None) is text
