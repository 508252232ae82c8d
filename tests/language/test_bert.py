"""A fine-tuned BERT: torch and ONNX agree, and a classifier file contains everything that scoring needs."""

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
from recommender.language.sentiment.config import SentimentConfig, SentimentFitOptions
from recommender.language.sentiment.finetuning.bert import fit_bert, load_bert_network
from recommender.language.sentiment.finetuning.bert_network import (
    BertSentiment,
    collect_weights,
    derive_shape,
)
from recommender.language.sentiment.finetuning.bert_onnx import export_bert
from recommender.language.sentiment.finetuning.loop import as_tensors
from recommender.language.sentiment.finetuning.use_cnn import fit_use_cnn
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import fit_sentiment_classifier
from recommender.types import DataError

Change = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]  # type: ignore[type-arg]
THINGS = ("phone", "lamp", "dress", "book")
POSITIVE_PATTERNS = ("i love this {}", "the {} is good", "a great {}, very good", "this {} is great and good")
NEGATIVE_PATTERNS = ("i hate this {}", "the {} is bad", "an awful {}, very bad", "this {} is awful and bad")
TEXTS = [text.format(thing) for text in POSITIVE_PATTERNS + NEGATIVE_PATTERNS for thing in THINGS] * 40
IS_POSITIVE = np.array(([True] * 16 + [False] * 16) * 40)
TEST_TEXTS = ["this lamp is good .", "very bad , i hate it", "the dress", "good " * 300, "", "手机"]


def fit_linear_classifier() -> SentimentClassifier:
    options = SentimentFitOptions(language="en", config=SentimentConfig(bits=12))
    return fit_sentiment_classifier(TEXTS, IS_POSITIVE, options)


@pytest.fixture(scope="module")
def network(bert_folder: Path) -> OnnxSentimentNetwork:
    return fit_bert(TEXTS, IS_POSITIVE, folder=bert_folder, rng=np.random.default_rng(0))


def load_untrained(folder: Path) -> tuple[BertSentiment, WordPieceTokenizer]:
    untrained, tokenizer = load_bert_network(folder, np.random.default_rng(0))
    return untrained.eval(), WordPieceTokenizer(tokenizer)


def test_the_network_fits_the_training_texts(network: OnnxSentimentNetwork) -> None:
    assert (network.score(TEXTS[:32]) > 0).tolist() == IS_POSITIVE[:32].tolist()


def test_the_exported_graph_agrees_with_torch(bert_folder: Path) -> None:
    """To about three decimals, before the matrix products are quantised: the word embeddings are int8."""
    untrained, tokenizer = load_untrained(bert_folder)
    inputs = dict(tokenizer.build_inputs(tokenizer.tokenize(TEST_TEXTS)))
    with torch.no_grad():
        exact = untrained(**as_tensors(inputs)).numpy()
    graph = export_bert(collect_weights(untrained), derive_shape(untrained)).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    scores = session.run(None, inputs)[0]
    assert np.abs(exact).max() > 0.02
    assert np.allclose(scores, exact, atol=3e-3)


def test_the_quantised_graph_correlates_with_torch(network: OnnxSentimentNetwork, bert_folder: Path) -> None:
    trained, _ = load_bert_network(bert_folder, np.random.default_rng(5), network)
    tokenizer = WordPieceTokenizer(network.tokenizer)
    with torch.no_grad():
        inputs = tokenizer.build_inputs(tokenizer.tokenize(TEXTS[:32]))
        exact = trained.eval()(**as_tensors(inputs)).numpy()
    assert np.corrcoef(exact, network.score(TEXTS[:32]))[0, 1] > 0.99


def test_scores_of_a_text_do_not_depend_on_its_batch(bert_folder: Path) -> None:
    untrained, tokenizer = load_untrained(bert_folder)
    short, long = tokenizer.tokenize(["good phone", "the book is bad " * 20])
    with torch.no_grad():
        single = untrained(**as_tensors(tokenizer.build_inputs([short])))
        batch = untrained(**as_tensors(tokenizer.build_inputs([short, long])))
    assert torch.allclose(single[0], batch[0], atol=1e-5)


def test_the_graph_ignores_padding(network: OnnxSentimentNetwork) -> None:
    scores = network.score(["good phone", "the book is bad " * 20])
    assert network.score(["good phone"])[0] == pytest.approx(scores[0], abs=0.1)


def test_the_middle_of_a_long_review_is_dropped(bert_folder: Path) -> None:
    _, tokenizer = load_untrained(bert_folder)
    (token_ids,) = tokenizer.tokenize(["good " + "very " * 500 + "bad"])
    begin, end = tokenizer.tokenize(["good"])[0], tokenizer.tokenize(["bad"])[0]
    assert token_ids.size == MAX_TOKENS
    assert token_ids[:2].tolist() == begin[:2].tolist()
    assert token_ids[-2:].tolist() == end[-2:].tolist()


def test_only_words_are_masked(bert_folder: Path) -> None:
    untrained, tokenizer = load_untrained(bert_folder)
    masked_tokens = list[torch.Tensor]()
    untrained.bert.register_forward_pre_hook(
        lambda _module, _args, kwargs: masked_tokens.append(kwargs["input_ids"]), with_kwargs=True
    )
    texts = ["good", "the phone is good and the lamp is good"] * 200
    inputs = as_tensors(tokenizer.build_inputs(tokenizer.tokenize(texts)))
    untrained.train()(**inputs)
    is_masked = (masked_tokens[0] != inputs["tokens"]).numpy()
    is_word = (inputs["tokens"] > 4).numpy()
    assert not is_masked[~is_word].any()
    assert 0.06 < is_masked[is_word].mean() < 0.14


def test_word_embeddings_are_not_trained(network: OnnxSentimentNetwork, bert_folder: Path) -> None:
    before, _ = load_untrained(bert_folder)
    after, _ = load_bert_network(bert_folder, np.random.default_rng(5), network)
    graph = onnx.load_from_string(network.graph).graph
    initializers = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    words, scale = initializers["words"], initializers["words_scale"]
    table = before.bert.embeddings.word_embeddings.weight.detach().numpy()
    assert np.abs(words * scale - table).max() <= np.abs(table).max() / 250
    assert not np.allclose(collect_weights(before)["wide0"], collect_weights(after)["wide0"], atol=1e-3)


def test_training_continues_from_an_initial_network(network: OnnxSentimentNetwork, bert_folder: Path) -> None:
    texts, is_positive = TEXTS[::4][:48], IS_POSITIVE[::4][:48]
    continued = fit_bert(
        texts, is_positive, folder=bert_folder, rng=np.random.default_rng(1), initial=network
    )
    fresh = fit_bert(texts, is_positive, folder=bert_folder, rng=np.random.default_rng(1))
    assert compute_margin(continued) > abs(compute_margin(fresh)) + 0.2


def compute_margin(network: OnnxSentimentNetwork) -> float:
    scores = network.score(TEXTS[:32])
    return float(scores[:16].mean() - scores[16:].mean())


def test_a_classifier_is_scored_without_the_encoders_folder(bert_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert_folder, tmp_path / "encoder")
    network = fit_bert(TEXTS[:64], IS_POSITIVE[:64], folder=folder, rng=np.random.default_rng(0))
    linear = fit_linear_classifier()
    path = tmp_path / "classifier.safetensors"
    path.write_bytes(replace(linear, network=network).to_bytes())
    shutil.rmtree(folder)
    loaded = SentimentClassifier.load(path)
    assert loaded.network == network
    assert np.allclose(
        loaded.score(TEST_TEXTS), linear.score(TEST_TEXTS) + network.score(TEST_TEXTS), atol=5e-3
    )


def test_a_file_without_tokenizer_and_blend_weight_is_read(tmp_path: Path) -> None:
    network = fit_use_cnn(TEXTS[:64], IS_POSITIVE[:64], rng=np.random.default_rng(0))
    classifier = replace(fit_linear_classifier(), network=network)
    arrays = load(classifier.to_bytes())
    path = tmp_path / "classifier.safetensors"
    del arrays["network_tokenizer"], arrays["network_blend_weight"]
    metadata = {"format": "1", "metadata": json.dumps(asdict(classifier.metadata))}
    path.write_bytes(save(arrays, metadata))
    assert SentimentClassifier.load(path).network == classifier.network


@pytest.mark.parametrize("name", ["graph", "blend_weight"])
def test_a_network_without_finite_scores_is_refused(
    network: OnnxSentimentNetwork, tmp_path: Path, name: str
) -> None:
    damaged = {"graph": build_nan_graph(network), "blend_weight": float("nan")}
    linear = fit_linear_classifier()
    path = tmp_path / "classifier.safetensors"
    path.write_bytes(replace(linear, network=replace(network, **{name: damaged[name]})).to_bytes())
    with pytest.raises(
        DataError, match=r"^The network of this sentiment classifier returns no finite score\.$"
    ):
        SentimentClassifier.load(path)


def build_nan_graph(network: OnnxSentimentNetwork) -> bytes:
    model = onnx.load_from_string(network.graph)
    (bias,) = [tensor for tensor in model.graph.initializer if tensor.name == "output_bias"]
    bias.CopyFrom(numpy_helper.from_array(np.array([np.nan], np.float32), "output_bias"))
    return bytes(model.SerializeToString())


OTHER_ENCODER = "The network to start from was tuned from another encoder"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda weights: weights | {"output_weight": np.zeros((3, 1), np.float16)}, rf"^{OTHER_ENCODER}\.$"),
        (
            lambda weights: weights | {"word_table_hash": np.zeros(32, np.uint8)},
            rf"^{OTHER_ENCODER} of the same shape\.$",
        ),
    ],
)
def test_an_initial_network_of_another_bert_is_refused_with_one_sentence(
    network: OnnxSentimentNetwork, bert_folder: Path, change: Change, sentence: str
) -> None:
    other = replace(network, weights=save(change(load(network.weights))))
    with pytest.raises(DataError, match=sentence):
        fit_bert(TEXTS, IS_POSITIVE, folder=bert_folder, rng=np.random.default_rng(0), initial=other)


def test_an_initial_network_of_the_other_architecture_is_refused_with_one_sentence(
    network: OnnxSentimentNetwork, bert_folder: Path
) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match=rf"^{OTHER_ENCODER}\.$"):
        fit_use_cnn(TEXTS, IS_POSITIVE, rng=rng, initial=network)
    use_cnn = fit_use_cnn(TEXTS[:64], IS_POSITIVE[:64], rng=rng)
    with pytest.raises(DataError, match=rf"^{OTHER_ENCODER}\.$"):
        fit_bert(TEXTS, IS_POSITIVE, folder=bert_folder, rng=rng, initial=use_cnn)


def test_damaged_weights_of_an_initial_network_are_refused_with_one_sentence(
    network: OnnxSentimentNetwork, bert_folder: Path
) -> None:
    damaged = replace(network, weights=b"no weights")
    with pytest.raises(DataError, match=r"^The weights of the network to start from cannot be read\.$"):
        fit_bert(TEXTS, IS_POSITIVE, folder=bert_folder, rng=np.random.default_rng(0), initial=damaged)


def save_other_architecture(folder: Path) -> None:
    config = DistilBertConfig(vocab_size=25, dim=8, hidden_dim=8, n_layers=1, n_heads=2)
    DistilBertModel(config).save_pretrained(folder)


def remove_tokenizer(folder: Path) -> None:
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink(missing_ok=True)


def rename_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(
        save({f"other.{name}": value for name, value in load_file(path).items()}, {"format": "pt"})
    )


def remove_special_tokens(folder: Path) -> None:
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text()) | {"post_processor": None}
    path.write_text(json.dumps(content))
    config = folder / "tokenizer_config.json"
    config.write_text(
        json.dumps(json.loads(config.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"})
    )


def shorten_positions(folder: Path) -> None:
    config = BertConfig.from_pretrained(folder, max_position_embeddings=100)
    BertModel(config).save_pretrained(folder)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (save_other_architecture, "holds no BERT that a network could be tuned from"),
        (remove_tokenizer, "holds no encoder: there is no tokenizer"),
        (rename_weights, "holds no encoder: there are weights of another model"),
        (remove_special_tokens, "holds no BERT that a network could be tuned from"),
        (shorten_positions, "holds no BERT that a network could be tuned from"),
    ],
)
def test_a_folder_that_cannot_be_tuned_is_refused_with_one_sentence(
    bert_folder: Path, tmp_path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    folder = shutil.copytree(bert_folder, tmp_path / "encoder")
    damage(folder)
    with pytest.raises(DataError, match=sentence):
        fit_bert(TEXTS, IS_POSITIVE, folder=folder, rng=np.random.default_rng(0))


def test_a_damaged_tokenizer_is_refused_with_one_sentence(network: OnnxSentimentNetwork) -> None:
    with pytest.raises(DataError, match=r"^The tokenizer of this sentiment classifier cannot be read\.$"):
        replace(network, tokenizer=b"{}").score(["good"])
