"""A BERT, tuned to reviews: the graph says what torch says, and a head carries all that scoring needs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.numpy import load, save

from recommender.language.network import ReviewNetwork
from recommender.language.network_training import fit_network
from recommender.language.network_tuning import as_tensors
from recommender.language.sentiment import SentimentHead
from recommender.language.sentiment_training import SentimentConfig, fit
from recommender.language.transformer_export import export
from recommender.language.transformer_network import BertReader, arrays_of, fit_transformer, opened, shape_of
from recommender.language.wordpieces import MOST_TOKENS, WordPieces
from recommender.types import DataError

THINGS = ("phone", "lamp", "dress", "book")
PRAISED = ("i love this {}", "the {} is good", "a great {}, very good", "this {} is great and good")
BLAMED = ("i hate this {}", "the {} is bad", "an awful {}, very bad", "this {} is awful and bad")
TEXTS = [text.format(thing) for text in PRAISED + BLAMED for thing in THINGS] * 40
PRAISE = np.array(([True] * 16 + [False] * 16) * 40)
ASKED = ["this lamp is good .", "very bad , i hate it", "the dress", "good " * 300, "", "手机"]


@pytest.fixture(scope="module")
def network(bert_folder: Path) -> ReviewNetwork:
    return fit_transformer(TEXTS, PRAISE, folder=bert_folder, rng=np.random.default_rng(0))


def fresh(folder: Path) -> tuple[BertReader, WordPieces]:
    reader, tokenizer = opened(folder, np.random.default_rng(0))
    return reader.eval(), WordPieces(tokenizer)


def test_it_learns_what_reviews_say(network: ReviewNetwork) -> None:
    assert (network.score(TEXTS[:32]) > 0).tolist() == PRAISE[:32].tolist()


def test_the_graph_says_what_the_network_says(bert_folder: Path) -> None:
    """Before the products are narrowed, to the third place: the table of words is int8."""
    reader, reading = fresh(bert_folder)
    given = dict(reading.inputs(reading.rows(ASKED)))
    with torch.no_grad():
        exact = reader(**as_tensors(given)).numpy()
    graph = export(arrays_of(reader), shape_of(reader)).SerializeToString()
    said = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(None, given)[0]
    assert np.abs(exact).max() > 0.02
    assert np.allclose(said, exact, atol=3e-3)


def test_the_narrowed_graph_keeps_the_order(network: ReviewNetwork, bert_folder: Path) -> None:
    reader, _ = opened(bert_folder, np.random.default_rng(5), network)
    reading = WordPieces(network.tokenizer)
    with torch.no_grad():
        exact = reader.eval()(**as_tensors(reading.inputs(reading.rows(TEXTS[:32])))).numpy()
    assert np.corrcoef(exact, network.score(TEXTS[:32]))[0, 1] > 0.99


def test_what_stands_beside_a_text_does_not_change_what_is_said_of_it(bert_folder: Path) -> None:
    reader, reading = fresh(bert_folder)
    short, long = reading.rows(["good phone", "the book is bad " * 20])
    with torch.no_grad():
        alone = reader(**as_tensors(reading.inputs([short])))
        beside = reader(**as_tensors(reading.inputs([short, long])))
    assert torch.allclose(alone[0], beside[0], atol=1e-5)


def test_the_graph_reads_no_padding(network: ReviewNetwork) -> None:
    beside = network.score(["good phone", "the book is bad " * 20])
    assert network.score(["good phone"])[0] == pytest.approx(beside[0], abs=0.1)


def test_a_long_review_counts_with_its_beginning_and_its_end(bert_folder: Path) -> None:
    _, reading = fresh(bert_folder)
    (read,) = reading.rows(["good " + "very " * 500 + "bad"])
    whole, last = reading.rows(["good"])[0], reading.rows(["bad"])[0]
    assert read.size == MOST_TOKENS
    assert read[:2].tolist() == whole[:2].tolist()
    assert read[-2:].tolist() == last[-2:].tolist()


def test_masks_cover_words_and_nothing_else(bert_folder: Path) -> None:
    reader, tokenizer = opened(bert_folder, np.random.default_rng(0))
    reading = WordPieces(tokenizer)
    seen = list[torch.Tensor]()
    reader.bert.register_forward_pre_hook(
        lambda _, __, given: seen.append(given["input_ids"]), with_kwargs=True
    )
    given = as_tensors(reading.inputs(reading.rows(["good", "the phone is good and the lamp is good"] * 200)))
    reader.train()(**given)
    hidden = (seen[0] != given["tokens"]).numpy()
    words = (given["tokens"] > 4).numpy()
    assert not hidden[~words].any()
    assert 0.06 < hidden[words].mean() < 0.14


def test_the_table_of_words_stays_as_it_is(network: ReviewNetwork) -> None:
    assert not [name for name in load(network.weights) if "word_embeddings" in name]


def test_a_training_goes_on_from_what_another_learned(network: ReviewNetwork, bert_folder: Path) -> None:
    few, praise = TEXTS[::4][:48], PRAISE[::4][:48]
    on = fit_transformer(few, praise, folder=bert_folder, rng=np.random.default_rng(1), start=network)
    alone = fit_transformer(few, praise, folder=bert_folder, rng=np.random.default_rng(1))
    assert told_apart(on) > 2 * told_apart(alone)


def told_apart(network: ReviewNetwork) -> float:
    odds = network.score(TEXTS[:32])
    return float(odds[:16].mean() - odds[16:].mean())


def test_a_head_carries_all_that_scoring_needs(bert_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert_folder, tmp_path / "encoder")
    network = fit_transformer(TEXTS[:64], PRAISE[:64], folder=folder, rng=np.random.default_rng(0))
    words = fit(TEXTS, PRAISE, language="en", config=SentimentConfig(bits=12))
    path = tmp_path / "head.safetensors"
    path.write_bytes(replace(words, network=network).to_bytes())
    shutil.rmtree(folder)
    again = SentimentHead.load(path)
    assert again.network == network
    assert np.allclose(again.score(ASKED), words.score(ASKED) + network.score(ASKED) / 2, atol=5e-3)


def test_another_start_is_refused_with_one_sentence(network: ReviewNetwork, bert_folder: Path) -> None:
    other = replace(network, weights=save({"praise": np.zeros((3, 1), np.float16)}))
    damaged = replace(network, weights=b"no weights")
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match=r"^The network to start from was tuned from another encoder\.$"):
        fit_transformer(TEXTS, PRAISE, folder=bert_folder, rng=rng, start=other)
    with pytest.raises(DataError, match=r"^The network to start from was tuned from another encoder\.$"):
        fit_network(TEXTS, PRAISE, rng=rng, start=network)
    with pytest.raises(DataError, match=r"^The weights of the network to start from cannot be read\.$"):
        fit_transformer(TEXTS, PRAISE, folder=bert_folder, rng=rng, start=damaged)


def test_another_architecture_is_refused_with_one_sentence(bert_folder: Path, tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertModel

    folder = shutil.copytree(bert_folder, tmp_path / "encoder")
    DistilBertModel(
        DistilBertConfig(vocab_size=25, dim=8, hidden_dim=8, n_layers=1, n_heads=2)
    ).save_pretrained(folder)
    with pytest.raises(DataError, match="holds no BERT: a network is tuned from a BERT"):
        fit_transformer(TEXTS, PRAISE, folder=folder, rng=np.random.default_rng(0))


def test_a_damaged_tokenizer_is_refused_with_one_sentence(network: ReviewNetwork) -> None:
    with pytest.raises(DataError, match=r"^The tokenizer of this sentiment head cannot be read\.$"):
        replace(network, tokenizer=b"{}").score(["good"])
