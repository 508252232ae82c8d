"""Items that nobody chose: what is learned from behaviour says nothing of them, and what they are is what counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from recommender.algorithms.base import Recommender
from recommender.algorithms.content.new_items import NewItemContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.algorithms.sequential.gru4rec_training import GRU4RecTrainer
from recommender.algorithms.sequential.nextitnet_training import NextItNetTrainer
from recommender.algorithms.sequential.sasrec_training import SASRecTrainer
from recommender.dataset import Dataset
from recommender.types import Histories, InsufficientDataError
from tests.recommender.checkerboard import ITEMS, PERSONAL, checkerboard

MORE = 6
NETWORKS = ("sequence", "recurrent", "convolutional")


@pytest.fixture(scope="module")
def wider() -> Dataset:
    """The checkerboard with six items more, of both colours in turn, that nobody chose."""
    board = checkerboard()
    assert board.image_embeddings is not None
    assert board.triple_tokens is not None
    look = np.concatenate([board.image_embeddings, board.image_embeddings[:MORE]])
    links = board.triple_tokens + board.triple_tokens[:MORE]
    return replace(
        board,
        n_items=ITEMS + MORE,
        content=None,
        image_embeddings=look,
        triple_tokens=links,
        review_features=None,
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_gives_them_its_mean_score(network: str, wider: Dataset) -> None:
    member: Recommender[Any] = PERSONAL[network]()
    assert isinstance(member, SASRecTrainer | GRU4RecTrainer | NextItNetTrainer)
    member.fit(wider, np.random.default_rng(0))
    histories = Histories.from_lists([[0, 4, 2], [1, 7, 3]])
    scores = member.score(histories)
    np.testing.assert_allclose(
        scores[:, ITEMS:], scores[:, :ITEMS].mean(axis=1, keepdims=True).repeat(MORE, 1), atol=1e-5
    )
    again = type(member).from_files(member.to_files())
    np.testing.assert_allclose(again.score(histories), scores, atol=1e-5)


@pytest.mark.parametrize("member", [VisualSimilarity(), TripleSimilarity()])
def test_by_what_they_are_they_are_told_apart(member: Recommender[Any], wider: Dataset) -> None:
    member.fit(wider, np.random.default_rng(0))
    even, odd = member.score(Histories.from_lists([[0, 4, 2], [1, 7, 3]]))
    late = np.arange(ITEMS, ITEMS + MORE)
    assert even[late[::2]].min() > even[late[1::2]].max()
    assert odd[late[1::2]].min() > odd[late[::2]].max()


@pytest.mark.parametrize("member", [VisualSimilarity(), TripleSimilarity()])
def test_newcomers_are_placed_as_if_they_had_been_there(member: Any, wider: Dataset) -> None:
    member.fit(wider, np.random.default_rng(0))
    assert wider.image_embeddings is not None
    assert wider.triple_tokens is not None
    content = NewItemContent(
        texts=[""] * len(wider.triple_tokens[ITEMS:]),
        image_embeddings=list(wider.image_embeddings[ITEMS:].astype(np.float16)),
        triple_tokens=wider.triple_tokens[ITEMS:],
    )
    difference = abs(member.vectors_for(content) - member.vectors[ITEMS:])
    assert float(difference.max()) < 1e-3


def test_an_item_without_an_image_is_like_none() -> None:
    board = checkerboard()
    assert board.image_embeddings is not None
    look = board.image_embeddings.copy()
    look[3] = 0
    member = VisualSimilarity()
    member.fit(replace(board, image_embeddings=look), np.random.default_rng(0))
    assert (member.score(Histories.from_lists([[0], [1]]))[:, 3] == 0).all()
    assert not member.compute_user_vector(np.array([3], np.int32)).any()
    assert 3 not in member.find_similar_items(np.array([1], np.int32), ITEMS).items


def test_few_images_have_the_directions_that_many_would_have() -> None:
    look = np.random.default_rng(0).normal(0, [4, 3, 2, 1, 0.5, 0.5], (5, 6)).astype(np.float32)
    twice = np.concatenate([look, look])
    few, many = VisualSimilarity(), VisualSimilarity()
    few.fit(replace(Dataset.from_sequences([], n_items=5), image_embeddings=look), np.random.default_rng(0))
    many.fit(
        replace(Dataset.from_sequences([], n_items=10), image_embeddings=twice), np.random.default_rng(0)
    )
    np.testing.assert_allclose(
        few.vectors @ few.vectors.T, (many.vectors @ many.vectors.T)[:5, :5], atol=2e-3
    )


@pytest.mark.parametrize("looks", [1, 2])
def test_a_single_image_and_equal_images_make_no_trouble(looks: int) -> None:
    board = checkerboard()
    look = np.zeros((ITEMS, 8), np.float32)
    look[:looks] = 1
    member = VisualSimilarity()
    member.fit(replace(board, image_embeddings=look), np.random.default_rng(0))
    assert np.isfinite(member.score(Histories.from_lists([[0], [5], []]))).all()


@pytest.mark.parametrize(
    ("member", "reason"),
    [(VisualSimilarity(), "no item has an image"), (TripleSimilarity(), "no item has triples")],
)
def test_where_nothing_is_known_the_member_says_so(member: Recommender[Any], reason: str) -> None:
    bare = replace(checkerboard(), image_embeddings=None, triple_tokens=None)
    nothing = replace(bare, image_embeddings=np.zeros((ITEMS, 8), np.float32), triple_tokens=((),) * ITEMS)
    for data in (bare, nothing):
        with pytest.raises(InsufficientDataError, match=reason):
            member.fit(data, np.random.default_rng(0))


def test_a_shared_token_that_few_have_links_more_than_one_that_all_have() -> None:
    links = (
        ("made_of\tclay", "set\tblue"),
        ("made_of\tclay", "set\tblue"),
        ("made_of\tclay",),
        ("made_of\tclay",),
    )
    member = TripleSimilarity()
    member.fit(replace(Dataset.from_sequences([], n_items=4), triple_tokens=links), np.random.default_rng(0))
    first = member.find_similar_items(np.array([0], np.int32), 3)
    # By hand: idf of clay ln(5/5) + 1 = 1, of blue ln(5/3) + 1 = 1.5108; cosine to an item of clay alone 1 / 1.8117.
    assert first.items[0, 0] == 1
    np.testing.assert_allclose(first.scores[0], [1, 0.55196, 0.55196], atol=1e-4)
