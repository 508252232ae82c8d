"""A BERT, tuned to reviews: the graph says what torch says, and a head carries all that scoring needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from safetensors.numpy import load, load_file, save
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

from recommender.language.encoders.wordpiece import MAX_TOKENS, WordPieceTokenizer
from recommender.language.sentiment.classifier import SentimentClassifier
from recommender.language.sentiment.finetuning.bert import (
    BertSentiment,
    collect_weights,
    derive_shape,
    fit_bert,
    load_bert_network,
)
from recommender.language.sentiment.finetuning.bert_onnx import export_bert
from recommender.language.sentiment.finetuning.loop import as_tensors
from recommender.language.sentiment.finetuning.use_cnn import fit_use_cnn
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import SentimentConfig, fit_sentiment_classifier
from recommender.types import DataError

Change = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]  # type: ignore[type-arg]
THINGS = ("phone", "lamp", "dress", "book")
PRAISED = ("i love this {}", "the {} is good", "a great {}, very good", "this {} is great and good")
BLAMED = ("i hate this {}", "the {} is bad", "an awful {}, very bad", "this {} is awful and bad")
TEXTS = [text.format(thing) for text in PRAISED + BLAMED for thing in THINGS] * 40
PRAISE = np.array(([True] * 16 + [False] * 16) * 40)
ASKED = ["this lamp is good .", "very bad , i hate it", "the dress", "good " * 300, "", "手机"]


@pytest.fixture(scope="module")
def network(bert_folder: Path) -> OnnxSentimentNetwork:
    return fit_bert(TEXTS, PRAISE, folder=bert_folder, rng=np.random.default_rng(0))


def fresh(folder: Path) -> tuple[BertSentiment, WordPieceTokenizer]:
    reader, tokenizer = load_bert_network(folder, np.random.default_rng(0))
    return reader.eval(), WordPieceTokenizer(tokenizer)


def test_it_learns_what_reviews_say(network: OnnxSentimentNetwork) -> None:
    assert (network.score(TEXTS[:32]) > 0).tolist() == PRAISE[:32].tolist()


def test_the_graph_says_what_the_network_says(bert_folder: Path) -> None:
    """Before the products are narrowed, to the third place: the table of words is int8."""
    reader, reading = fresh(bert_folder)
    given = dict(reading.build_inputs(reading.tokenize(ASKED)))
    with torch.no_grad():
        exact = reader(**as_tensors(given)).numpy()
    graph = export_bert(collect_weights(reader), derive_shape(reader)).SerializeToString()
    said = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(None, given)[0]
    assert np.abs(exact).max() > 0.02
    assert np.allclose(said, exact, atol=3e-3)


def test_the_narrowed_graph_keeps_the_order(network: OnnxSentimentNetwork, bert_folder: Path) -> None:
    reader, _ = load_bert_network(bert_folder, np.random.default_rng(5), network)
    reading = WordPieceTokenizer(network.tokenizer)
    with torch.no_grad():
        exact = reader.eval()(**as_tensors(reading.build_inputs(reading.tokenize(TEXTS[:32])))).numpy()
    assert np.corrcoef(exact, network.score(TEXTS[:32]))[0, 1] > 0.99


def test_what_stands_beside_a_text_does_not_change_what_is_said_of_it(bert_folder: Path) -> None:
    reader, reading = fresh(bert_folder)
    short, long = reading.tokenize(["good phone", "the book is bad " * 20])
    with torch.no_grad():
        alone = reader(**as_tensors(reading.build_inputs([short])))
        beside = reader(**as_tensors(reading.build_inputs([short, long])))
    assert torch.allclose(alone[0], beside[0], atol=1e-5)


def test_the_graph_reads_no_padding(network: OnnxSentimentNetwork) -> None:
    beside = network.score(["good phone", "the book is bad " * 20])
    assert network.score(["good phone"])[0] == pytest.approx(beside[0], abs=0.1)


def test_a_long_review_counts_with_its_beginning_and_its_end(bert_folder: Path) -> None:
    _, reading = fresh(bert_folder)
    (read,) = reading.tokenize(["good " + "very " * 500 + "bad"])
    whole, last = reading.tokenize(["good"])[0], reading.tokenize(["bad"])[0]
    assert read.size == MAX_TOKENS
    assert read[:2].tolist() == whole[:2].tolist()
    assert read[-2:].tolist() == last[-2:].tolist()


def test_masks_cover_words_and_nothing_else(bert_folder: Path) -> None:
    reader, tokenizer = load_bert_network(bert_folder, np.random.default_rng(0))
    reading = WordPieceTokenizer(tokenizer)
    seen = list[torch.Tensor]()
    reader.bert.register_forward_pre_hook(
        lambda _, __, given: seen.append(given["input_ids"]), with_kwargs=True
    )
    given = as_tensors(
        reading.build_inputs(reading.tokenize(["good", "the phone is good and the lamp is good"] * 200))
    )
    reader.train()(**given)
    hidden = (seen[0] != given["tokens"]).numpy()
    words = (given["tokens"] > 4).numpy()
    assert not hidden[~words].any()
    assert 0.06 < hidden[words].mean() < 0.14


def test_the_table_of_words_stays_as_it_is(network: OnnxSentimentNetwork, bert_folder: Path) -> None:
    before, after = (
        fresh(bert_folder)[0],
        load_bert_network(bert_folder, np.random.default_rng(5), network)[0],
    )
    graph = onnx.load_from_string(network.graph).graph
    (words,) = [numpy_helper.to_array(one) for one in graph.initializer if one.name == "words"]
    (scale,) = [numpy_helper.to_array(one) for one in graph.initializer if one.name == "words_scale"]
    table = before.bert.embeddings.word_embeddings.weight.detach().numpy()
    assert np.abs(words * scale - table).max() <= np.abs(table).max() / 250
    assert not np.allclose(collect_weights(before)["wide0"], collect_weights(after)["wide0"], atol=1e-3)


def test_a_training_goes_on_from_what_another_learned(
    network: OnnxSentimentNetwork, bert_folder: Path
) -> None:
    few, praise = TEXTS[::4][:48], PRAISE[::4][:48]
    on = fit_bert(few, praise, folder=bert_folder, rng=np.random.default_rng(1), initial=network)
    alone = fit_bert(few, praise, folder=bert_folder, rng=np.random.default_rng(1))
    assert told_apart(on) > abs(told_apart(alone)) + 0.2


def told_apart(network: OnnxSentimentNetwork) -> float:
    odds = network.score(TEXTS[:32])
    return float(odds[:16].mean() - odds[16:].mean())


def test_a_head_carries_all_that_scoring_needs(bert_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert_folder, tmp_path / "encoder")
    network = fit_bert(TEXTS[:64], PRAISE[:64], folder=folder, rng=np.random.default_rng(0))
    words = fit_sentiment_classifier(TEXTS, PRAISE, language="en", config=SentimentConfig(bits=12))
    path = tmp_path / "head.safetensors"
    path.write_bytes(replace(words, network=network).to_bytes())
    shutil.rmtree(folder)
    again = SentimentClassifier.load(path)
    assert again.network == network
    assert np.allclose(again.score(ASKED), words.score(ASKED) + network.score(ASKED), atol=5e-3)


def test_a_head_of_before_there_were_transformers_is_read(tmp_path: Path) -> None:
    """Its file has neither a tokenizer nor a share."""
    head = replace(
        fit_sentiment_classifier(TEXTS, PRAISE, language="en", config=SentimentConfig(bits=12)),
        network=fit_use_cnn(TEXTS[:64], PRAISE[:64], rng=np.random.default_rng(0)),
    )
    content = load(head.to_bytes())
    path = tmp_path / "head.safetensors"
    younger = {"network_tokenizer", "network_blend_weight"}
    told = {"format": "1", "card": json.dumps(asdict(head.metadata))}
    path.write_bytes(save({name: value for name, value in content.items() if name not in younger}, told))
    assert SentimentClassifier.load(path).network == head.network


@pytest.mark.parametrize("part", ["graph", "share"])
def test_a_head_whose_network_says_nothing_is_refused(
    network: OnnxSentimentNetwork, tmp_path: Path, part: str
) -> None:
    spoilt = {"graph": of_not_a_number(network), "share": float("nan")}
    words = fit_sentiment_classifier(TEXTS, PRAISE, language="en", config=SentimentConfig(bits=12))
    path = tmp_path / "head.safetensors"
    path.write_bytes(replace(words, network=replace(network, **{part: spoilt[part]})).to_bytes())
    with pytest.raises(DataError, match=r"^The network of this sentiment head says nothing\.$"):
        SentimentClassifier.load(path)


def of_not_a_number(network: OnnxSentimentNetwork) -> bytes:
    model = onnx.load_from_string(network.graph)
    (bias,) = [one for one in model.graph.initializer if one.name == "praise_bias"]
    bias.CopyFrom(numpy_helper.from_array(np.array([np.nan], np.float32), "praise_bias"))
    return bytes(model.SerializeToString())


OTHER = "The network to start from was tuned from another encoder"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda weights: weights | {"praise": np.zeros((3, 1), np.float16)}, rf"^{OTHER}\.$"),
        (lambda weights: weights | {"table": np.zeros(32, np.uint8)}, rf"^{OTHER} of the same shape\.$"),
    ],
)
def test_another_start_is_refused_with_one_sentence(
    network: OnnxSentimentNetwork, bert_folder: Path, change: Change, sentence: str
) -> None:
    other = replace(network, weights=save(change(load(network.weights))))
    with pytest.raises(DataError, match=sentence):
        fit_bert(TEXTS, PRAISE, folder=bert_folder, rng=np.random.default_rng(0), initial=other)


def test_a_start_of_the_other_kind_is_refused_with_one_sentence(
    network: OnnxSentimentNetwork, bert_folder: Path
) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match=rf"^{OTHER}\.$"):
        fit_use_cnn(TEXTS, PRAISE, rng=rng, initial=network)
    of_pieces = fit_use_cnn(TEXTS[:64], PRAISE[:64], rng=rng)
    with pytest.raises(DataError, match=rf"^{OTHER}\.$"):
        fit_bert(TEXTS, PRAISE, folder=bert_folder, rng=rng, initial=of_pieces)


def test_damaged_weights_to_start_from_are_refused_with_one_sentence(
    network: OnnxSentimentNetwork, bert_folder: Path
) -> None:
    damaged = replace(network, weights=b"no weights")
    with pytest.raises(DataError, match=r"^The weights of the network to start from cannot be read\.$"):
        fit_bert(TEXTS, PRAISE, folder=bert_folder, rng=np.random.default_rng(0), initial=damaged)


def other_architecture(folder: Path) -> None:
    config = DistilBertConfig(vocab_size=25, dim=8, hidden_dim=8, n_layers=1, n_heads=2)
    DistilBertModel(config).save_pretrained(folder)


def no_tokenizer(folder: Path) -> None:
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink(missing_ok=True)


def other_names(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(
        save({f"other.{name}": value for name, value in load_file(path).items()}, {"format": "pt"})
    )


def no_marks(folder: Path) -> None:
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text()) | {"post_processor": None}
    path.write_text(json.dumps(content))
    config = folder / "tokenizer_config.json"
    config.write_text(
        json.dumps(json.loads(config.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"})
    )


def no_room(folder: Path) -> None:
    config = BertConfig.from_pretrained(folder, max_position_embeddings=100)
    BertModel(config).save_pretrained(folder)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (other_architecture, "holds no BERT that a network could be tuned from"),
        (no_tokenizer, "holds no encoder: there is no tokenizer"),
        (other_names, "holds no encoder: there are weights of another model"),
        (no_marks, "holds no BERT that a network could be tuned from"),
        (no_room, "holds no BERT that a network could be tuned from"),
    ],
)
def test_a_folder_that_cannot_be_tuned_is_refused_with_one_sentence(
    bert_folder: Path, tmp_path: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    folder = shutil.copytree(bert_folder, tmp_path / "encoder")
    spoil(folder)
    with pytest.raises(DataError, match=sentence):
        fit_bert(TEXTS, PRAISE, folder=folder, rng=np.random.default_rng(0))


def test_a_damaged_tokenizer_is_refused_with_one_sentence(network: OnnxSentimentNetwork) -> None:
    with pytest.raises(DataError, match=r"^The tokenizer of this sentiment head cannot be read\.$"):
        replace(network, tokenizer=b"{}").score(["good"])
