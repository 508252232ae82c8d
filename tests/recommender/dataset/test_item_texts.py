"""Words of both languages, and items that arrive after training."""

from __future__ import annotations

from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.dataset import Dataset, ItemContent
from recommender.dataset.item_text import join_text_fields
from recommender.features.tfidf import TfidfVectorizer, tokenize_text


def test_words_are_folded_and_cut_at_punctuation() -> None:
    assert tokenize_text("Nail-Lacquer, ２０ml") == ["nail", "lacquer", "20ml"]


def test_unspaced_scripts_are_cut_into_pairs() -> None:
    assert tokenize_text("新款口红") == ["新款", "款口", "口红"]


def test_mixed_words_keep_both_parts() -> None:
    assert tokenize_text("SK2精华") == ["精华", "sk2"]


def test_empty_fields_give_an_empty_text() -> None:
    assert join_text_fields(title=" ", categories=[""], brand="") == ""


def test_a_title_counts_more_than_a_category() -> None:
    assert tokenize_text(join_text_fields(title="soap", categories=["bath"])).count("soap") > 1


def test_vectors_have_length_one_or_zero() -> None:
    texts = ["red soap", "blue soap", ""]
    lengths = np.linalg.norm(TfidfVectorizer.fit(texts).transform([*texts, "unheard of"]).toarray(), axis=1)
    np.testing.assert_allclose(lengths, [1, 1, 0, 0], atol=1e-6)


def test_a_new_item_is_near_the_history_it_belongs_to(fitted_models: dict[str, Recommender[Any]]) -> None:
    loaded = TfidfContent.from_files(fitted_models["content"].to_files())
    assert isinstance(loaded, TfidfContent)
    new_vectors = loaded.transform_texts(["crimson novelty", "azure novelty"])
    similarity = new_vectors @ loaded.compute_user_vector(np.array([0, 2], np.int32))
    assert similarity[0] > similarity[1]


def test_similar_chinese_texts_are_neighbours() -> None:
    texts = ("红色口红 哑光", "滋润口红 红色", "男士剃须刀", "电动剃须刀 男士")
    model = TfidfContent()
    model.fit(Dataset.from_sequences([[0]], n_items=4, content=ItemContent(texts)), np.random.default_rng(0))
    assert model.find_similar_items(np.array([0, 2], np.int32), 1).items.tolist() == [[1], [3]]
