"""The fine-tuned multilingual encoder: torch and ONNX agree, and training changes the scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from recommender.language.encoders.sentencepiece import MAX_PIECES, embed_pieces, tokenize_pieces
from recommender.language.encoders.use import UniversalSentenceEncoder, load_use_backend
from recommender.language.sentiment.classifier import SentimentClassifier
from recommender.language.sentiment.config import SentimentConfig, SentimentFitOptions
from recommender.language.sentiment.finetuning.use_cnn import UseCnn, fit_use_cnn, load_encoder_weights
from recommender.language.sentiment.finetuning.use_cnn_onnx import POOLED_WIDTH
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import fit_sentiment_classifier
from recommender.types import DataError

THINGS = ("phone", "dress", "hotel room", "noodles", "delivery", "lamp", "shoes", "book")
POSITIVE_PATTERNS = (
    "I love this {}",
    "the {} is excellent",
    "a wonderful {}, very happy",
    "great {}, I recommend it",
)
NEGATIVE_PATTERNS = (
    "I hate this {}",
    "the {} is terrible",
    "an awful {}, very sad",
    "bad {}, I want my money back",
)
TEXTS = [text.format(thing) for text in POSITIVE_PATTERNS + NEGATIVE_PATTERNS for thing in THINGS] * 3
IS_POSITIVE = np.array([True] * (len(TEXTS) // 6) + [False] * (len(TEXTS) // 6)).tolist() * 3
UNSEEN = ["这个手机非常好，我很喜欢", "味道好极了，推荐", "质量太差了，很失望", "房间又脏又吵，糟糕透了"]


def fit_linear_classifier() -> SentimentClassifier:
    options = SentimentFitOptions(language="en", config=SentimentConfig(bits=12))
    return fit_sentiment_classifier(TEXTS, np.array(IS_POSITIVE), options)


@pytest.fixture(scope="module")
def network() -> OnnxSentimentNetwork:
    return fit_use_cnn(TEXTS, np.array(IS_POSITIVE), rng=np.random.default_rng(0))


def test_training_on_english_reviews_transfers_to_chinese(network: OnnxSentimentNetwork) -> None:
    assert (network.score(UNSEEN) > 0).tolist() == [True, True, False, False]


def test_the_initial_network_computes_the_encoders_embeddings() -> None:
    """With the residual features as output, the last layers of the encoder give its embeddings."""
    residual_output = np.eye(POOLED_WIDTH, dtype=np.float32)[:, 512 : 512 + 320]
    weights = load_encoder_weights(np.random.default_rng(0)) | {
        "output_weight": residual_output,
        "output_bias": np.zeros(320, np.float32),
    }
    texts = ["a long walk by the sea", "很好", "the battery lasts for two days"]
    with torch.no_grad():
        vectors, attention_mask = map(torch.from_numpy, embed_pieces(tokenize_pieces(texts)))
        residual = UseCnn(weights).eval()(vectors, attention_mask).numpy()
    backend = load_use_backend()
    embeddings = np.tanh(residual @ backend.p3 + np.maximum(residual @ backend.d2, 0) @ backend.d3)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    assert np.allclose((embeddings * UniversalSentenceEncoder().encode(texts)).sum(axis=1), 1, atol=1e-4)


def test_the_quantised_graph_agrees_with_torch(network: OnnxSentimentNetwork) -> None:
    with torch.no_grad():
        vectors, attention_mask = map(torch.from_numpy, embed_pieces(tokenize_pieces(TEXTS[:64] + UNSEEN)))
        exact = UseCnn(load(network.weights)).eval()(vectors, attention_mask).numpy()
    quantized = network.score(TEXTS[:64] + UNSEEN)
    assert np.corrcoef(exact, quantized)[0, 1] > 0.995
    assert np.abs(exact - quantized).max() < 0.1 * np.abs(exact).max()


def test_scores_of_a_text_do_not_depend_on_its_batch() -> None:
    network = UseCnn(load_encoder_weights(np.random.default_rng(0))).eval()
    short, long = tokenize_pieces(["很好", "the battery lasts for two days " * 9])
    with torch.no_grad():
        single = network(*map(torch.from_numpy, embed_pieces([short])))
        batch = network(*map(torch.from_numpy, embed_pieces([short, long])))
    assert torch.allclose(single[0], batch[0], atol=1e-5)


def test_the_graph_ignores_padding(network: OnnxSentimentNetwork) -> None:
    scores = network.score(["很好", "the battery lasts for two days " * 9])
    assert network.score(["很好"])[0] == pytest.approx(scores[0], abs=0.3)


def test_the_middle_of_a_long_review_is_dropped() -> None:
    (token_ids,) = tokenize_pieces(["begin " + "middle " * 500 + "end"])
    begin, end = tokenize_pieces(["begin"])[0], tokenize_pieces(["end"])[0]
    assert token_ids.size == MAX_PIECES
    assert token_ids[:2].tolist() == begin[:2].tolist()
    assert token_ids[-2:].tolist() == end[-2:].tolist()


def test_the_generator_determines_the_training() -> None:
    runs = [
        fit_use_cnn(TEXTS[:48], np.array(IS_POSITIVE[:48]) ^ _odd_rows(48), rng=np.random.default_rng(7))
        for _ in "ab"
    ]
    other = fit_use_cnn(TEXTS[:48], np.array(IS_POSITIVE[:48]) ^ _odd_rows(48), rng=np.random.default_rng(8))
    assert np.allclose(runs[0].score(TEXTS[:8]), runs[1].score(TEXTS[:8]), atol=1e-3)
    assert not np.allclose(runs[0].score(TEXTS[:8]), other.score(TEXTS[:8]), atol=1e-3)


def _odd_rows(count: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.arange(count) % 2 == 1


def test_training_continues_from_an_initial_network(network: OnnxSentimentNetwork) -> None:
    rows = np.r_[0:24, 32:56]
    texts, is_positive = [TEXTS[row] for row in rows], np.array(IS_POSITIVE)[rows]
    continued = fit_use_cnn(texts, is_positive, rng=np.random.default_rng(1), initial=network)
    fresh = fit_use_cnn(texts, is_positive, rng=np.random.default_rng(1))
    assert _compute_margin(continued) > _compute_margin(fresh) + 1


def _compute_margin(network: OnnxSentimentNetwork) -> float:
    scores = network.score(UNSEEN)
    return float(scores[:2].mean() - scores[2:].mean())


def test_a_classifier_with_a_network_survives_serialisation(
    network: OnnxSentimentNetwork, tmp_path: Path
) -> None:
    linear = fit_linear_classifier()
    path = tmp_path / "classifier.safetensors"
    path.write_bytes(replace(linear, network=network).to_bytes())
    loaded = SentimentClassifier.load(path)
    assert loaded.network == network
    assert np.allclose(
        loaded.score(TEXTS[:9]), linear.score(TEXTS[:9]) + network.score(TEXTS[:9]) / 2, atol=5e-3
    )
    assert loaded.score([]).tolist() == []


def test_a_damaged_network_is_refused_with_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    path.write_bytes(
        replace(fit_linear_classifier(), network=OnnxSentimentNetwork(b"no graph", b"")).to_bytes()
    )
    with pytest.raises(DataError, match=r"^The network of this sentiment classifier cannot be read\.$"):
        SentimentClassifier.load(path)


def test_a_single_label_is_refused() -> None:
    with pytest.raises(DataError, match="positive and negative texts"):
        fit_use_cnn(TEXTS, np.ones(len(TEXTS), np.bool_), rng=np.random.default_rng(0))
