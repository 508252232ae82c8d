"""How much a review praises: log-odds from its words, and where the head has learned them from its vector."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.lexicon import find_opinion_words
from recommender.language.preprocessing.ngram_hashing import hash_ngrams
from recommender.language.preprocessing.resources import get_heads_folder
from recommender.language.preprocessing.text import Language, split_clauses
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.types import DataError, Float32Array

Float16Array = NDArray[np.float16]
UInt8Array = NDArray[np.uint8]
FORMAT = "1"
N_LEXICON_FEATURES = 3


@dataclass(frozen=True, slots=True)
class SentimentMetadata:
    """What a head was learned from and how well it did on texts that it had not seen; `measured` by name of the set."""

    language: str
    encoder: str
    learned_from: str
    texts: int
    measured: dict[str, float]


@dataclass(frozen=True, slots=True)
class SentimentClassifier:
    """s = m . u + c . t + e . v + b + a n: m the marks of a text's runs of words, c what its opinion words say, e its vector
    where an encoder is named, n what a network says of it where there is one, a the network's share.

    words float32 (2**bits) is u, of length one for a head that knows no words of its language; tone float32 (CUES) is t;
    vector float32 (width) is v, of no width where no encoder is used."""

    metadata: SentimentMetadata
    ngram_weights: Float32Array
    lexicon_weights: Float32Array
    embedding_weights: Float32Array
    bias: float
    network: OnnxSentimentNetwork | None = None

    def score(self, texts: Sequence[str], encoder: TextEncoder | None = None) -> Float32Array:
        """Log-odds float32 (len(texts)) of cleaned texts: above zero for praise. Raises DataError for another encoder."""
        language: Language = "zh" if self.metadata.language == "zh" else "en"
        scores = extract_lexicon_features(texts, language) @ self.lexicon_weights + np.float32(self.bias)
        if self.ngram_weights.size > 1:
            scores = (
                scores
                + hash_ngrams(texts, bits=int(self.ngram_weights.size).bit_length() - 1) @ self.ngram_weights
            )
        if self.embedding_weights.size:
            if encoder is None or encoder.name != self.metadata.encoder:
                raise DataError(f"This head needs the encoder {self.metadata.encoder}.")
            scores = scores + encoder.encode(texts) @ self.embedding_weights
        if self.network is not None and texts:
            scores = scores + np.float32(self.network.blend_weight) * self.network.score(texts)
        return np.asarray(scores, dtype=np.float32)

    def to_bytes(self) -> bytes:
        """safetensors; word weights as float16, which moves no score by more than a thousandth."""
        arrays: dict[str, Float32Array | Float16Array | UInt8Array] = {
            "ngram_weights": self.ngram_weights.astype(np.float16),
            "lexicon_weights": self.lexicon_weights.astype(np.float32),
            "embedding_weights": self.embedding_weights.astype(np.float32),
            "bias": np.array([self.bias], np.float32),
        }
        if self.network is not None:
            arrays["network"] = np.frombuffer(self.network.graph, np.uint8)
            arrays["network_weights"] = np.frombuffer(self.network.weights, np.uint8)
            arrays["network_tokenizer"] = np.frombuffer(self.network.tokenizer, np.uint8)
            arrays["network_blend_weight"] = np.array([self.network.blend_weight], np.float32)
        return save(
            arrays, {"format": FORMAT, "metadata": json.dumps(asdict(self.metadata), ensure_ascii=False)}
        )

    @classmethod
    def load(cls, path: Path) -> SentimentClassifier:
        """Raises DataError for a file that to_bytes() did not write."""
        try:
            with safe_open(path, framework="numpy") as file:
                told = file.metadata() or {}
                if told.get("format") != FORMAT:
                    raise DataError(f"{path.name} is not a sentiment head of this version.")
                card = SentimentMetadata(**json.loads(told["metadata"]))
                arrays = {
                    name: file.get_tensor(name)
                    for name in ("ngram_weights", "lexicon_weights", "embedding_weights", "bias")
                }
                network = _read_network(file)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as fault:
            if isinstance(fault, DataError):
                raise
            raise DataError(f"{path.name} is not a sentiment head.") from fault
        words = arrays["ngram_weights"].astype(np.float32)
        if (
            words.size & (words.size - 1)
            or not words.size
            or not np.isfinite(words).all()
            or arrays["lexicon_weights"].shape != (N_LEXICON_FEATURES,)
        ):
            raise DataError(f"{path.name} is not a sentiment head.")
        return cls(
            card,
            words,
            arrays["lexicon_weights"],
            arrays["embedding_weights"].astype(np.float32),
            float(arrays["bias"][0]),
            network,
        )


def _read_network(file: Any) -> OnnxSentimentNetwork | None:
    """Raises DataError for one that cannot be read."""
    names = set(file.keys())
    if "network" not in names:
        return None
    # Heads of before have neither a tokenizer nor a share.
    parts = ("network", "network_weights", "network_tokenizer")
    given = [file.get_tensor(name).tobytes() for name in parts if name in names]
    share = float(file.get_tensor("network_blend_weight")[0]) if "network_blend_weight" in names else 0.5
    network = replace(OnnxSentimentNetwork(*given), blend_weight=share)
    if not np.isfinite(network.blend_weight * network.score(["."])).all():
        raise DataError("The network of this sentiment head says nothing.")
    return network


def extract_lexicon_features(texts: Sequence[str], language: Language) -> Float32Array:
    """float32 (len(texts), CUES): praise less blame among the opinion words over the root of how many there are, whether
    there is praise, whether there is blame."""
    found = np.zeros((len(texts), N_LEXICON_FEATURES), np.float32)
    for row, text in enumerate(texts):
        signs = [
            opinion.sign for clause in split_clauses(text) for opinion in find_opinion_words(clause, language)
        ]
        if signs:
            found[row] = sum(signs) / len(signs) ** 0.5, max(signs) > 0, min(signs) < 0
    return found


@cache
def load_default_sentiment_classifier(language: Language) -> SentimentClassifier:
    """The head that comes with the package; heads/PROVENANCE.md says what it was learned from."""
    return SentimentClassifier.load(get_heads_folder() / f"sentiment-{language}.safetensors")


def sigmoid(log_odds: Float32Array) -> Float32Array:
    """Of praise, 0 to 1."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -30, 30))), dtype=np.float32)
