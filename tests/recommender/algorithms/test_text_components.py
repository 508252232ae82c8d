"""Texts as short vectors, and what networks make of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recommender.algorithms.sequential.gru4rec import GRU4RecConfig
from recommender.algorithms.sequential.gru4rec_training import GRU4RecTrainer
from recommender.algorithms.sequential.nextitnet import NextItNetConfig
from recommender.algorithms.sequential.nextitnet_training import NextItNetTrainer
from recommender.algorithms.sequential.sasrec import SASRecConfig
from recommender.algorithms.sequential.sasrec_training import SASRecTrainer
from recommender.algorithms.sequential.trainer import SequentialTrainer
from recommender.dataset import Dataset, ItemContent
from recommender.features.text_svd import compute_text_svd
from recommender.types import Float32Array, Histories
from tests.recommender.checkerboard import QUICK

UNCHOSEN = (20, 21, 22, 23)
# All that these texts share is a colour.
FEW: dict[str, Any] = QUICK | {"text_components": 2}
LEARNERS: dict[str, SequentialTrainer[Any]] = {
    "sequence": SASRecTrainer(SASRecConfig(**FEW)),
    "recurrent": GRU4RecTrainer(GRU4RecConfig(hidden_size=16, **FEW)),
    "convolutional": NextItNetTrainer(NextItNetConfig(**FEW | {"epochs": 50})),
}


def directions(*texts: str, size: int = 8) -> Float32Array | None:
    return compute_text_svd(texts, size, np.random.default_rng(0))


def cosine(one: Float32Array, other: Float32Array) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def test_texts_that_share_words_point_the_same_way() -> None:
    found = directions("red silk scarf", "red silk shirt", "steel pan", "steel pot", "iron pan", size=2)
    assert found is not None
    assert cosine(found[0], found[1]) > 0.3 > cosine(found[0], found[3])


def test_the_mean_square_is_one_and_an_empty_text_is_a_row_of_zeros() -> None:
    found = directions("red silk", "red wool", "steel pan", "", "steel pot", size=3)
    assert found is not None
    assert not found[3].any()
    assert np.square(np.delete(found, 3, axis=0)).mean() == pytest.approx(1, abs=1e-4)


def test_directions_that_the_texts_do_not_have_are_zero() -> None:
    found = directions("red silk", "red wool", "green wool", size=50)
    assert found is not None
    assert found.shape == (3, 50)
    assert not found[:, 3:].any()


@pytest.mark.parametrize("texts", [(), ("", ""), ("alone",), ("same", "same", "same")])
def test_texts_that_tell_nothing_apart_have_no_directions(texts: tuple[str, ...]) -> None:
    assert directions(*texts) is None


def test_the_same_generator_state_finds_the_same_directions() -> None:
    texts = tuple(f"word{n % 7} word{n % 5}" for n in range(40))
    assert np.array_equal(directions(*texts), directions(*texts))


@pytest.fixture
def partly_chosen(board: Dataset) -> Dataset:
    """The checkerboard with four items that nobody ever chose, and whose texts name their colour."""
    return board.filter_events(~np.isin(board.item, UNCHOSEN))


def unchosen_gap(learner: SequentialTrainer[Any], data: Dataset) -> float:
    """By how much the unchosen items of the history's colour score above those of the other."""
    learner.fit(data, np.random.default_rng(0))
    scores = learner.score(Histories.from_lists([[0, 4, 2], [2, 6, 8]]))[:, UNCHOSEN]
    return float(scores[:, ::2].mean() - scores[:, 1::2].mean())


@pytest.mark.parametrize("name", list(LEARNERS))
def test_networks_place_an_item_that_nobody_chose_by_its_text(name: str, partly_chosen: Dataset) -> None:
    assert unchosen_gap(LEARNERS[name], partly_chosen) > 0.2


def test_texts_can_be_left_out_of_a_network(partly_chosen: Dataset) -> None:
    config = replace(LEARNERS["sequence"].config, text_components=0)
    mute = replace_texts(partly_chosen)
    with_texts, without = (SASRecTrainer(config) for _ in range(2))
    assert unchosen_gap(with_texts, partly_chosen) == unchosen_gap(without, mute)


def replace_texts(data: Dataset) -> Dataset:
    return replace(data, content=ItemContent(tuple("" for _ in range(data.n_items))))


def test_refitting_goes_on_from_texts_and_choices(partly_chosen: Dataset, board: Dataset) -> None:
    learner = SASRecTrainer(SASRecConfig(**FEW))
    learner.fit(partly_chosen, np.random.default_rng(0))
    before = learner.score(Histories.from_lists([[0, 4, 2]]))
    learner.fit_partial(board, np.random.default_rng(1))
    after = learner.score(Histories.from_lists([[0, 4, 2]]))
    assert not np.array_equal(before, after)
    assert after[0, [20, 22]].mean() > after[0, [21, 23]].mean() + 0.2
