"""The multilingual encoder, tuned to reviews: the same network everywhere, and one that learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from recommender.language.encoders.base import UniversalSentenceEncoder
from recommender.language.encoders.sentencepiece import (
    MAX_PIECES,
    embed_pieces,
    load_use_backend,
    tokenize_pieces,
)
from recommender.language.sentiment.classifier import SentimentClassifier
from recommender.language.sentiment.finetuning.use_cnn import UseCnn, fit_use_cnn, load_encoder_weights
from recommender.language.sentiment.finetuning.use_cnn_onnx import POOLED_WIDTH
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import SentimentConfig, fit_sentiment_classifier
from recommender.types import DataError

THINGS = ("phone", "dress", "hotel room", "noodles", "delivery", "lamp", "shoes", "book")
PRAISED = ("I love this {}", "the {} is excellent", "a wonderful {}, very happy", "great {}, I recommend it")
BLAMED = ("I hate this {}", "the {} is terrible", "an awful {}, very sad", "bad {}, I want my money back")
TEXTS = [text.format(thing) for text in PRAISED + BLAMED for thing in THINGS] * 3
PRAISE = np.array([True] * (len(TEXTS) // 6) + [False] * (len(TEXTS) // 6)).tolist() * 3
UNSEEN = ["这个手机非常好，我很喜欢", "味道好极了，推荐", "质量太差了，很失望", "房间又脏又吵，糟糕透了"]


@pytest.fixture(scope="module")
def network() -> OnnxSentimentNetwork:
    return fit_use_cnn(TEXTS, np.array(PRAISE), rng=np.random.default_rng(0))


def test_what_english_reviews_teach_holds_for_chinese_ones(network: OnnxSentimentNetwork) -> None:
    assert (network.score(UNSEEN) > 0).tolist() == [True, True, False, False]


def test_it_begins_as_the_encoder() -> None:
    """The last layers of the encoder, behind ours, give the encoder's own vectors."""
    bent = np.eye(POOLED_WIDTH, dtype=np.float32)[:, 512 : 512 + 320]
    arrays = load_encoder_weights(np.random.default_rng(0)) | {
        "praise": bent,
        "praise_bias": np.zeros(320, np.float32),
    }
    texts = ["a long walk by the sea", "很好", "the battery lasts for two days"]
    with torch.no_grad():
        vectors, there = map(torch.from_numpy, embed_pieces(tokenize_pieces(texts)))
        inner = UseCnn(arrays).eval()(vectors, there).numpy()
    of = load_use_backend()
    said = np.tanh(inner @ of.p3 + np.maximum(inner @ of.d2, 0) @ of.d3)
    said /= np.linalg.norm(said, axis=1, keepdims=True)
    assert np.allclose((said * UniversalSentenceEncoder().encode(texts)).sum(axis=1), 1, atol=1e-4)


def test_the_graph_says_what_the_network_says(network: OnnxSentimentNetwork) -> None:
    with torch.no_grad():
        vectors, there = map(torch.from_numpy, embed_pieces(tokenize_pieces(TEXTS[:64] + UNSEEN)))
        exact = UseCnn(load(network.weights)).eval()(vectors, there).numpy()
    rounded = network.score(TEXTS[:64] + UNSEEN)
    assert np.corrcoef(exact, rounded)[0, 1] > 0.995
    assert np.abs(exact - rounded).max() < 0.1 * np.abs(exact).max()


def test_what_stands_beside_a_text_does_not_change_what_is_said_of_it() -> None:
    network = UseCnn(load_encoder_weights(np.random.default_rng(0))).eval()
    short, long = tokenize_pieces(["很好", "the battery lasts for two days " * 9])
    with torch.no_grad():
        alone = network(*map(torch.from_numpy, embed_pieces([short])))
        beside = network(*map(torch.from_numpy, embed_pieces([short, long])))
    assert torch.allclose(alone[0], beside[0], atol=1e-5)


def test_the_graph_reads_no_padding(network: OnnxSentimentNetwork) -> None:
    beside = network.score(["很好", "the battery lasts for two days " * 9])
    assert network.score(["很好"])[0] == pytest.approx(beside[0], abs=0.3)


def test_a_long_review_counts_with_its_beginning_and_its_end() -> None:
    (read,) = tokenize_pieces(["begin " + "middle " * 500 + "end"])
    whole, last = tokenize_pieces(["begin"])[0], tokenize_pieces(["end"])[0]
    assert read.size == MAX_PIECES
    assert read[:2].tolist() == whole[:2].tolist()
    assert read[-2:].tolist() == last[-2:].tolist()


def test_chance_is_an_argument() -> None:
    runs = [
        fit_use_cnn(TEXTS[:48], np.array(PRAISE[:48]) ^ _odd(48), rng=np.random.default_rng(7)) for _ in "ab"
    ]
    other = fit_use_cnn(TEXTS[:48], np.array(PRAISE[:48]) ^ _odd(48), rng=np.random.default_rng(8))
    assert np.allclose(runs[0].score(TEXTS[:8]), runs[1].score(TEXTS[:8]), atol=1e-3)
    assert not np.allclose(runs[0].score(TEXTS[:8]), other.score(TEXTS[:8]), atol=1e-3)


def _odd(count: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.arange(count) % 2 == 1


def test_a_training_goes_on_from_what_another_learned(network: OnnxSentimentNetwork) -> None:
    rows = np.r_[0:24, 32:56]
    few, praise = [TEXTS[row] for row in rows], np.array(PRAISE)[rows]
    on = fit_use_cnn(few, praise, rng=np.random.default_rng(1), initial=network)
    fresh = fit_use_cnn(few, praise, rng=np.random.default_rng(1))
    assert _told_apart(on) > _told_apart(fresh) + 1


def _told_apart(network: OnnxSentimentNetwork) -> float:
    odds = network.score(UNSEEN)
    return float(odds[:2].mean() - odds[2:].mean())


def test_a_head_with_a_network_is_read_as_it_was_written(
    network: OnnxSentimentNetwork, tmp_path: Path
) -> None:
    words = fit_sentiment_classifier(TEXTS, np.array(PRAISE), language="en", config=SentimentConfig(bits=12))
    head = replace(words, network=network)
    path = tmp_path / "head.safetensors"
    path.write_bytes(head.to_bytes())
    again = SentimentClassifier.load(path)
    assert again.network == network
    assert np.allclose(
        again.score(TEXTS[:9]), words.score(TEXTS[:9]) + network.score(TEXTS[:9]) / 2, atol=5e-3
    )
    assert again.score([]).tolist() == []


def test_a_head_with_a_damaged_network_is_refused_with_one_sentence(tmp_path: Path) -> None:
    words = fit_sentiment_classifier(TEXTS, np.array(PRAISE), language="en", config=SentimentConfig(bits=12))
    path = tmp_path / "head.safetensors"
    path.write_bytes(replace(words, network=OnnxSentimentNetwork(b"no graph", b"")).to_bytes())
    with pytest.raises(DataError, match=r"^The network of this sentiment head cannot be read\.$"):
        SentimentClassifier.load(path)


def test_a_network_is_not_learned_from_one_kind_alone() -> None:
    with pytest.raises(DataError, match="praise"):
        fit_use_cnn(TEXTS, np.ones(len(TEXTS), np.bool_), rng=np.random.default_rng(0))
