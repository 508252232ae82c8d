"""Sentiment of a review: linear model over n-grams, opinion words and an optional embedding, plus an optional network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
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
from recommender.language.preprocessing.text import (
    Language,
    parse_language,
    split_clauses,
)
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.types import DataError, Float32Array

FORMAT = "1"
N_LEXICON_FEATURES = 3
_LINEAR_ARRAYS = (
    "ngram_weights",
    "lexicon_weights",
    "embedding_weights",
    "bias",
)
_DEFAULT_BLEND_WEIGHT = 0.5  # of files that were written before the weight was stored


@dataclass(frozen=True, slots=True)
class SentimentMetadata:
    """Provenance of a classifier.

    Attributes:
        language: "en" or "zh".
        encoder: name of the encoder, "" without one.
        learned_from: names of the training data sets.
        texts: number of training texts.
        measured: accuracy by name of a test set with texts that were not trained on.
    """

    language: str
    encoder: str
    learned_from: str
    texts: int
    measured: dict[str, float]


@dataclass(frozen=True, slots=True)
class SentimentClassifier:
    """Log-odds that a review is positive: s = m . u + c . t + e . v + b + a n.

    m are the features of `hash_ngrams`, c those of `extract_lexicon_features`, e is the embedding, n the score of the
    network.

    Attributes:
        metadata: provenance of the weights.
        ngram_weights: u, float32 (2**bits); of length 1 for a classifier that uses no n-grams.
        lexicon_weights: t, float32 (N_LEXICON_FEATURES).
        embedding_weights: v, float32 (encoder width); empty without an encoder.
        bias: b.
        network: gives n and a (`blend_weight`); None for a linear classifier.
    """

    metadata: SentimentMetadata
    ngram_weights: Float32Array
    lexicon_weights: Float32Array
    embedding_weights: Float32Array
    bias: float
    network: OnnxSentimentNetwork | None = None

    def score(self, texts: Sequence[str], encoder: TextEncoder | None = None) -> Float32Array:
        """Computes log-odds.

        Args:
            texts: cleaned texts.
            encoder: the encoder of the metadata; unused by a classifier without embedding weights.

        Returns:
            float32 (len(texts)); above zero for positive reviews.

        Raises:
            DataError: the classifier needs an encoder other than the given one.
        """
        language = parse_language(self.metadata.language)
        lexicon_features = extract_lexicon_features(texts, language)
        scores = lexicon_features @ self.lexicon_weights + np.float32(self.bias)
        n_ngrams = int(self.ngram_weights.size)
        if n_ngrams > 1:
            # 2**bits has bits + 1 binary digits.
            ngrams = hash_ngrams(texts, bits=n_ngrams.bit_length() - 1)
            scores = scores + ngrams @ self.ngram_weights
        if self.embedding_weights.size:
            if encoder is None or encoder.name != self.metadata.encoder:
                raise DataError(f"This classifier needs the encoder {self.metadata.encoder}.")
            scores = scores + encoder.encode(texts) @ self.embedding_weights
        if self.network is not None and texts:
            scores = scores + np.float32(self.network.blend_weight) * self.network.score(texts)
        return np.asarray(scores, dtype=np.float32)

    def to_bytes(self) -> bytes:
        """Serialises to safetensors; n-gram weights as float16, which changes a score by at most a thousandth.

        The arrays are those of _LINEAR_ARRAYS and, with a network, `network` (ONNX), `network_weights`,
        `network_tokenizer` and `network_blend_weight`; metadata are `format` and `metadata` (JSON)."""
        arrays: dict[str, NDArray[Any]] = {
            "ngram_weights": self.ngram_weights.astype(np.float16),
            "lexicon_weights": self.lexicon_weights.astype(np.float32),
            "embedding_weights": self.embedding_weights.astype(np.float32),
            "bias": np.array([self.bias], np.float32),
        }
        if self.network is not None:
            network = self.network
            arrays["network"] = np.frombuffer(network.graph, np.uint8)
            arrays["network_weights"] = np.frombuffer(network.weights, np.uint8)
            arrays["network_tokenizer"] = np.frombuffer(network.tokenizer, np.uint8)
            arrays["network_blend_weight"] = np.array([network.blend_weight], np.float32)
        metadata = json.dumps(asdict(self.metadata), ensure_ascii=False)
        return save(arrays, {"format": FORMAT, "metadata": metadata})

    @classmethod
    def load(cls, path: Path) -> SentimentClassifier:
        """Reads a file with the content of `to_bytes`. Raises DataError for another file."""
        try:
            with safe_open(path, framework="numpy") as file:
                file_metadata = file.metadata() or {}
                if file_metadata.get("format") != FORMAT:
                    raise DataError(f"{path.name} is not a sentiment classifier of this version.")
                metadata = SentimentMetadata(**json.loads(file_metadata["metadata"]))
                arrays = {name: file.get_tensor(name) for name in _LINEAR_ARRAYS}
                network = _read_network(file)
        except DataError:
            raise
        except (
            OSError,
            SafetensorError,
            KeyError,
            TypeError,
            ValueError,
        ) as error:
            raise DataError(f"{path.name} is not a sentiment classifier.") from error
        ngram_weights = arrays["ngram_weights"].astype(np.float32)
        lexicon_weights = arrays["lexicon_weights"]
        if not _is_valid_ngram_array(ngram_weights) or lexicon_weights.shape != (N_LEXICON_FEATURES,):
            raise DataError(f"{path.name} is not a sentiment classifier.")
        return cls(
            metadata=metadata,
            ngram_weights=ngram_weights,
            lexicon_weights=lexicon_weights,
            embedding_weights=arrays["embedding_weights"].astype(np.float32),
            bias=float(arrays["bias"][0]),
            network=network,
        )


def _is_valid_ngram_array(weights: Float32Array) -> bool:
    # n & (n - 1) clears the lowest bit of n: it is zero only for powers of two (and for 0).
    size = weights.size
    is_power_of_two = size > 0 and size & (size - 1) == 0
    return is_power_of_two and bool(np.isfinite(weights).all())


def _read_network(file: Any) -> OnnxSentimentNetwork | None:
    """The network in an open safetensors file. Raises DataError for a network that cannot be read."""
    names = set(file.keys())
    if "network" not in names:
        return None
    # Files of earlier versions contain neither a tokenizer nor a blend weight.
    tokenizer = b""
    if "network_tokenizer" in names:
        tokenizer = file.get_tensor("network_tokenizer").tobytes()
    blend_weight = _DEFAULT_BLEND_WEIGHT
    if "network_blend_weight" in names:
        blend_weight = float(file.get_tensor("network_blend_weight")[0])
    network = OnnxSentimentNetwork(
        graph=file.get_tensor("network").tobytes(),
        weights=file.get_tensor("network_weights").tobytes(),
        tokenizer=tokenizer,
        blend_weight=blend_weight,
    )
    # Scoring a text also shows that graph and tokenizer can be loaded.
    scores = network.blend_weight * network.score(["."])
    if not np.isfinite(scores).all():
        raise DataError("The network of this sentiment classifier returns no finite score.")
    return network


def extract_lexicon_features(texts: Sequence[str], language: Language) -> Float32Array:
    """Returns float32 (len(texts), N_LEXICON_FEATURES) of cleaned texts.

    Columns: sum of the signs of the opinion words divided by the square root of their number, whether there is a positive
    one, whether there is a negative one."""
    features = np.zeros((len(texts), N_LEXICON_FEATURES), np.float32)
    for row, text in enumerate(texts):
        signs = list[int]()
        for clause in split_clauses(text):
            for opinion in find_opinion_words(clause, language):
                signs.append(opinion.sign)
        if signs:
            balance = sum(signs) / len(signs) ** 0.5
            has_positive = max(signs) > 0
            has_negative = min(signs) < 0
            features[row] = balance, has_positive, has_negative
    return features


@cache
def load_default_sentiment_classifier(
    language: Language,
) -> SentimentClassifier:
    """Returns the classifier that is distributed with this package; heads/PROVENANCE.md lists its training data."""
    return SentimentClassifier.load(get_heads_folder() / f"sentiment-{language}.safetensors")


def sigmoid(log_odds: Float32Array) -> Float32Array:
    """Returns probabilities float32; log-odds are clipped to +-30, where exp overflows no float32."""
    clipped = np.clip(log_odds, -30, 30)
    return np.asarray(1 / (1 + np.exp(-clipped)), dtype=np.float32)
