"""Items without events: networks give them their mean score, content models score them by their content."""

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
from tests.recommender.checkerboard import ITEMS, PERSONAL_MODELS, make_checkerboard

N_NEW = 6
NETWORKS = ("sequence", "recurrent", "convolutional")


@pytest.fixture(scope="module")
def board_with_new_items() -> Dataset:
    """The checkerboard with six items more, of both colours in turn, that nobody chose."""
    board = make_checkerboard()
    assert board.image_embeddings is not None
    assert board.triple_tokens is not None
    embeddings = np.concatenate([board.image_embeddings, board.image_embeddings[:N_NEW]])
    triple_tokens = board.triple_tokens + board.triple_tokens[:N_NEW]
    return replace(
        board,
        n_items=ITEMS + N_NEW,
        content=None,
        image_embeddings=embeddings,
        triple_tokens=triple_tokens,
        review_features=None,
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_gives_untrained_items_its_mean_score(network: str, board_with_new_items: Dataset) -> None:
    model: Recommender[Any] = PERSONAL_MODELS[network]()
    assert isinstance(model, SASRecTrainer | GRU4RecTrainer | NextItNetTrainer)
    model.fit(board_with_new_items, np.random.default_rng(0))
    histories = Histories.from_lists([[0, 4, 2], [1, 7, 3]])
    scores = model.score(histories)
    np.testing.assert_allclose(
        scores[:, ITEMS:], scores[:, :ITEMS].mean(axis=1, keepdims=True).repeat(N_NEW, 1), atol=1e-5
    )
    restored = type(model).from_files(model.to_files())
    np.testing.assert_allclose(restored.score(histories), scores, atol=1e-5)


@pytest.mark.parametrize("model", [VisualSimilarity(), TripleSimilarity()])
def test_content_separates_untrained_items(model: Recommender[Any], board_with_new_items: Dataset) -> None:
    model.fit(board_with_new_items, np.random.default_rng(0))
    even, odd = model.score(Histories.from_lists([[0, 4, 2], [1, 7, 3]]))
    new_items = np.arange(ITEMS, ITEMS + N_NEW)
    assert even[new_items[::2]].min() > even[new_items[1::2]].max()
    assert odd[new_items[1::2]].min() > odd[new_items[::2]].max()


@pytest.mark.parametrize("model", [VisualSimilarity(), TripleSimilarity()])
def test_new_items_get_the_vectors_they_would_have_had_in_training(
    model: Any, board_with_new_items: Dataset
) -> None:
    model.fit(board_with_new_items, np.random.default_rng(0))
    assert board_with_new_items.image_embeddings is not None
    assert board_with_new_items.triple_tokens is not None
    content = NewItemContent(
        texts=[""] * len(board_with_new_items.triple_tokens[ITEMS:]),
        image_embeddings=list(board_with_new_items.image_embeddings[ITEMS:].astype(np.float16)),
        triple_tokens=board_with_new_items.triple_tokens[ITEMS:],
    )
    difference = abs(model.vectors_for(content) - model.vectors[ITEMS:])
    assert float(difference.max()) < 1e-3


def test_an_item_without_an_image_is_similar_to_none() -> None:
    board = make_checkerboard()
    assert board.image_embeddings is not None
    embeddings = board.image_embeddings.copy()
    embeddings[3] = 0
    model = VisualSimilarity()
    model.fit(replace(board, image_embeddings=embeddings), np.random.default_rng(0))
    assert (model.score(Histories.from_lists([[0], [1]]))[:, 3] == 0).all()
    assert not model.compute_user_vector(np.array([3], np.int32)).any()
    assert 3 not in model.find_similar_items(np.array([1], np.int32), ITEMS).items


def test_few_images_have_the_components_of_many() -> None:
    embeddings = np.random.default_rng(0).normal(0, [4, 3, 2, 1, 0.5, 0.5], (5, 6)).astype(np.float32)
    twice = np.concatenate([embeddings, embeddings])
    few_images, many_images = VisualSimilarity(), VisualSimilarity()
    few_images.fit(
        replace(Dataset.from_sequences([], n_items=5), image_embeddings=embeddings), np.random.default_rng(0)
    )
    many_images.fit(
        replace(Dataset.from_sequences([], n_items=10), image_embeddings=twice), np.random.default_rng(0)
    )
    np.testing.assert_allclose(
        few_images.vectors @ few_images.vectors.T,
        (many_images.vectors @ many_images.vectors.T)[:5, :5],
        atol=2e-3,
    )


@pytest.mark.parametrize("n_images", [1, 2])
def test_a_single_image_and_equal_images_give_finite_scores(n_images: int) -> None:
    board = make_checkerboard()
    embeddings = np.zeros((ITEMS, 8), np.float32)
    embeddings[:n_images] = 1
    model = VisualSimilarity()
    model.fit(replace(board, image_embeddings=embeddings), np.random.default_rng(0))
    assert np.isfinite(model.score(Histories.from_lists([[0], [5], []]))).all()


@pytest.mark.parametrize(
    ("model", "reason"),
    [(VisualSimilarity(), "no item has an image"), (TripleSimilarity(), "no item has triples")],
)
def test_a_model_without_content_is_refused_with_the_reason(model: Recommender[Any], reason: str) -> None:
    without_data = replace(make_checkerboard(), image_embeddings=None, triple_tokens=None)
    empty_data = replace(
        without_data, image_embeddings=np.zeros((ITEMS, 8), np.float32), triple_tokens=((),) * ITEMS
    )
    for data in (without_data, empty_data):
        with pytest.raises(InsufficientDataError, match=reason):
            model.fit(data, np.random.default_rng(0))


def test_a_rare_shared_token_counts_more_than_a_common_one() -> None:
    triple_tokens = (
        ("made_of\tclay", "set\tblue"),
        ("made_of\tclay", "set\tblue"),
        ("made_of\tclay",),
        ("made_of\tclay",),
    )
    model = TripleSimilarity()
    model.fit(
        replace(Dataset.from_sequences([], n_items=4), triple_tokens=triple_tokens), np.random.default_rng(0)
    )
    similar = model.find_similar_items(np.array([0], np.int32), 3)
    # By hand: idf of clay ln(5/5) + 1 = 1, of blue ln(5/3) + 1 = 1.5108; cosine to an item of clay alone 1 / 1.8117.
    assert similar.items[0, 0] == 1
    np.testing.assert_allclose(similar.scores[0], [1, 0.55196, 0.55196], atol=1e-4)
