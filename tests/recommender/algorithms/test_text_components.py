"""SVD components of item texts, and their use in networks."""

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
from tests.recommender.checkerboard import QUICK_TRAINING

UNCHOSEN = (20, 21, 22, 23)
# These texts have only a colour in common.
TWO_COMPONENTS: dict[str, Any] = QUICK_TRAINING | {"text_components": 2}
TRAINERS: dict[str, SequentialTrainer[Any]] = {
    "sequence": SASRecTrainer(SASRecConfig(**TWO_COMPONENTS)),
    "recurrent": GRU4RecTrainer(GRU4RecConfig(hidden_size=16, **TWO_COMPONENTS)),
    "convolutional": NextItNetTrainer(NextItNetConfig(**TWO_COMPONENTS | {"epochs": 50})),
}


def compute_components(*texts: str, size: int = 8) -> Float32Array | None:
    return compute_text_svd(texts, size, np.random.default_rng(0))


def compute_cosine(vector: Float32Array, other_vector: Float32Array) -> float:
    return float(vector @ other_vector / (np.linalg.norm(vector) * np.linalg.norm(other_vector)))


def test_texts_that_share_words_point_the_same_way() -> None:
    components = compute_components(
        "red silk scarf", "red silk shirt", "steel pan", "steel pot", "iron pan", size=2
    )
    assert components is not None
    assert compute_cosine(components[0], components[1]) > 0.3 > compute_cosine(components[0], components[3])


def test_the_mean_square_is_one_and_an_empty_text_is_a_row_of_zeros() -> None:
    components = compute_components("red silk", "red wool", "steel pan", "", "steel pot", size=3)
    assert components is not None
    assert not components[3].any()
    assert np.square(np.delete(components, 3, axis=0)).mean() == pytest.approx(1, abs=1e-4)


def test_components_beyond_the_rank_are_zero() -> None:
    components = compute_components("red silk", "red wool", "green wool", size=50)
    assert components is not None
    assert components.shape == (3, 50)
    assert not components[:, 3:].any()


@pytest.mark.parametrize("texts", [(), ("", ""), ("alone",), ("same", "same", "same")])
def test_indistinguishable_texts_have_no_components(texts: tuple[str, ...]) -> None:
    assert compute_components(*texts) is None


def test_the_same_generator_state_gives_the_same_components() -> None:
    texts = tuple(f"word{n % 7} word{n % 5}" for n in range(40))
    assert np.array_equal(compute_components(*texts), compute_components(*texts))


@pytest.fixture
def partly_chosen_board(board: Dataset) -> Dataset:
    """The checkerboard with four items that nobody ever chose, and whose texts name their colour."""
    return board.filter_events(~np.isin(board.item, UNCHOSEN))


def measure_unchosen_gap(trainer: SequentialTrainer[Any], data: Dataset) -> float:
    """Returns by how much unchosen items of the history's colour score above those of the other colour."""
    trainer.fit(data, np.random.default_rng(0))
    scores = trainer.score(Histories.from_lists([[0, 4, 2], [2, 6, 8]]))[:, UNCHOSEN]
    return float(scores[:, ::2].mean() - scores[:, 1::2].mean())


@pytest.mark.parametrize("name", list(TRAINERS))
def test_networks_place_an_item_that_nobody_chose_by_its_text(
    name: str, partly_chosen_board: Dataset
) -> None:
    assert measure_unchosen_gap(TRAINERS[name], partly_chosen_board) > 0.2


def test_text_components_can_be_disabled(partly_chosen_board: Dataset) -> None:
    config = replace(TRAINERS["sequence"].config, text_components=0)
    data_without_texts = remove_texts(partly_chosen_board)
    with_texts, without_texts = (SASRecTrainer(config) for _ in range(2))
    assert measure_unchosen_gap(with_texts, partly_chosen_board) == measure_unchosen_gap(
        without_texts, data_without_texts
    )


def remove_texts(data: Dataset) -> Dataset:
    return replace(data, content=ItemContent(tuple("" for _ in range(data.n_items))))


def test_refitting_continues_from_texts_and_events(partly_chosen_board: Dataset, board: Dataset) -> None:
    trainer = SASRecTrainer(SASRecConfig(**TWO_COMPONENTS))
    trainer.fit(partly_chosen_board, np.random.default_rng(0))
    before = trainer.score(Histories.from_lists([[0, 4, 2]]))
    trainer.fit_partial(board, np.random.default_rng(1))
    after = trainer.score(Histories.from_lists([[0, 4, 2]]))
    assert not np.array_equal(before, after)
    assert after[0, [20, 22]].mean() > after[0, [21, 23]].mean() + 0.2
