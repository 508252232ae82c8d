"""The multilingual encoder, tuned to reviews: the same network everywhere, and one that learns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from recommender.language.encoders import Multilingual
from recommender.language.network import ReviewNetwork
from recommender.language.network_export import POOLED
from recommender.language.network_training import Reader, encoder_weights, fit_network
from recommender.language.pieces import MOST_PIECES, padded, pieces, universal
from recommender.language.sentiment import SentimentHead
from recommender.language.sentiment_training import SentimentConfig, fit
from recommender.types import DataError

THINGS = ("phone", "dress", "hotel room", "noodles", "delivery", "lamp", "shoes", "book")
PRAISED = ("I love this {}", "the {} is excellent", "a wonderful {}, very happy", "great {}, I recommend it")
BLAMED = ("I hate this {}", "the {} is terrible", "an awful {}, very sad", "bad {}, I want my money back")
TEXTS = [text.format(thing) for text in PRAISED + BLAMED for thing in THINGS] * 3
PRAISE = np.array([True] * (len(TEXTS) // 6) + [False] * (len(TEXTS) // 6)).tolist() * 3
UNSEEN = ["这个手机非常好，我很喜欢", "味道好极了，推荐", "质量太差了，很失望", "房间又脏又吵，糟糕透了"]


@pytest.fixture(scope="module")
def network() -> ReviewNetwork:
    return fit_network(TEXTS, np.array(PRAISE), rng=np.random.default_rng(0))


def test_what_english_reviews_teach_holds_for_chinese_ones(network: ReviewNetwork) -> None:
    assert (network.score(UNSEEN) > 0).tolist() == [True, True, False, False]


def test_it_begins_as_the_encoder() -> None:
    """The last layers of the encoder, behind ours, give the encoder's own vectors."""
    bent = np.eye(POOLED, dtype=np.float32)[:, 512 : 512 + 320]
    arrays = encoder_weights(np.random.default_rng(0)) | {
        "praise": bent,
        "praise_bias": np.zeros(320, np.float32),
    }
    texts = ["a long walk by the sea", "很好", "the battery lasts for two days"]
    with torch.no_grad():
        vectors, there = map(torch.from_numpy, padded(pieces(texts)))
        inner = Reader(arrays).eval()(vectors, there).numpy()
    of = universal()
    said = np.tanh(inner @ of.p3 + np.maximum(inner @ of.d2, 0) @ of.d3)
    said /= np.linalg.norm(said, axis=1, keepdims=True)
    assert np.allclose((said * Multilingual().vectors(texts)).sum(axis=1), 1, atol=1e-4)


def test_the_graph_says_what_the_network_says(network: ReviewNetwork) -> None:
    with torch.no_grad():
        vectors, there = map(torch.from_numpy, padded(pieces(TEXTS[:64] + UNSEEN)))
        exact = Reader(load(network.weights)).eval()(vectors, there).numpy()
    rounded = network.score(TEXTS[:64] + UNSEEN)
    assert np.corrcoef(exact, rounded)[0, 1] > 0.995
    assert np.abs(exact - rounded).max() < 0.1 * np.abs(exact).max()


def test_what_stands_beside_a_text_does_not_change_what_is_said_of_it() -> None:
    network = Reader(encoder_weights(np.random.default_rng(0))).eval()
    short, long = pieces(["很好", "the battery lasts for two days " * 9])
    with torch.no_grad():
        alone = network(*map(torch.from_numpy, padded([short])))
        beside = network(*map(torch.from_numpy, padded([short, long])))
    assert torch.allclose(alone[0], beside[0], atol=1e-5)


def test_the_graph_reads_no_padding(network: ReviewNetwork) -> None:
    beside = network.score(["很好", "the battery lasts for two days " * 9])
    assert network.score(["很好"])[0] == pytest.approx(beside[0], abs=0.3)


def test_a_long_review_counts_with_its_beginning_and_its_end() -> None:
    (read,) = pieces(["begin " + "middle " * 500 + "end"])
    whole, last = pieces(["begin"])[0], pieces(["end"])[0]
    assert read.size == MOST_PIECES
    assert read[:2].tolist() == whole[:2].tolist()
    assert read[-2:].tolist() == last[-2:].tolist()


def test_chance_is_an_argument() -> None:
    runs = [
        fit_network(TEXTS[:48], np.array(PRAISE[:48]) ^ _odd(48), rng=np.random.default_rng(7)) for _ in "ab"
    ]
    other = fit_network(TEXTS[:48], np.array(PRAISE[:48]) ^ _odd(48), rng=np.random.default_rng(8))
    assert np.allclose(runs[0].score(TEXTS[:8]), runs[1].score(TEXTS[:8]), atol=1e-3)
    assert not np.allclose(runs[0].score(TEXTS[:8]), other.score(TEXTS[:8]), atol=1e-3)


def _odd(count: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.arange(count) % 2 == 1


def test_a_training_goes_on_from_what_another_learned(network: ReviewNetwork) -> None:
    rows = np.r_[0:24, 32:56]
    few, praise = [TEXTS[row] for row in rows], np.array(PRAISE)[rows]
    on = fit_network(few, praise, rng=np.random.default_rng(1), start=network)
    fresh = fit_network(few, praise, rng=np.random.default_rng(1))
    assert _told_apart(on) > _told_apart(fresh) + 1


def _told_apart(network: ReviewNetwork) -> float:
    odds = network.score(UNSEEN)
    return float(odds[:2].mean() - odds[2:].mean())


def test_a_head_with_a_network_is_read_as_it_was_written(network: ReviewNetwork, tmp_path: Path) -> None:
    words = fit(TEXTS, np.array(PRAISE), language="en", config=SentimentConfig(bits=12))
    head = replace(words, network=network)
    path = tmp_path / "head.safetensors"
    path.write_bytes(head.to_bytes())
    again = SentimentHead.load(path)
    assert again.network == network
    assert np.allclose(
        again.score(TEXTS[:9]), words.score(TEXTS[:9]) + network.score(TEXTS[:9]) / 2, atol=5e-3
    )
    assert again.score([]).tolist() == []


def test_a_head_with_a_damaged_network_is_refused_with_one_sentence(tmp_path: Path) -> None:
    words = fit(TEXTS, np.array(PRAISE), language="en", config=SentimentConfig(bits=12))
    path = tmp_path / "head.safetensors"
    path.write_bytes(replace(words, network=ReviewNetwork(b"no graph", b"")).to_bytes())
    with pytest.raises(DataError, match=r"^The network of this sentiment head cannot be read\.$"):
        SentimentHead.load(path)


def test_a_network_is_not_learned_from_one_kind_alone() -> None:
    with pytest.raises(DataError, match="praise"):
        fit_network(TEXTS, np.ones(len(TEXTS), np.bool_), rng=np.random.default_rng(0))
