"""Intent of a sentence's writer: buy again, return, complain, ask, or none of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.lexicon import sum_polarity
from recommender.language.preprocessing.resources import read_resource_rows
from recommender.language.preprocessing.text import (
    Language,
    clean_text,
    parse_language,
)
from recommender.types import Float32Array, Int64Array

INTENTS = (
    "buy_again",
    "return",
    "complain",
    "ask",
)  # stored in artefacts with review summaries
NO_INTENT = "none"
LABELS = (NO_INTENT, *INTENTS)
_MIN_PROBABILITY = 0.5
_QUESTION_MARKERS = ("?", "？", "吗", "呢", "请问")


@dataclass(frozen=True, slots=True)
class IntentSentence:
    """A sentence with its intent, one of LABELS; for a sentence to be classified the intent is not read."""

    intent: str
    language: Language
    text: str


@cache
def load_intent_dataset() -> tuple[IntentSentence, ...]:
    """Returns the labelled sentences of `resources/intents.tsv`: training data, and by cross-validation test data."""
    sentences = []
    for intent, language, text in read_resource_rows("intents.tsv"):
        sentences.append(IntentSentence(intent, parse_language(language), text))
    return tuple(sentences)


@dataclass(frozen=True, slots=True)
class IntentClassifier:
    """Multinomial logistic regression over `build_intent_features`: weight (features, labels), bias (labels)."""

    encoder: TextEncoder
    weight: Float32Array
    bias: Float32Array

    def compute_probabilities(self, sentences: Sequence[IntentSentence]) -> Float32Array:
        """Returns float32 (len(sentences), len(LABELS)); rows sum to 1."""
        features = build_intent_features(sentences, self.encoder)
        logits = features @ self.weight + self.bias
        if not len(logits):
            return np.empty((0, len(LABELS)), np.float32)
        # Softmax; subtracting the row maximum avoids overflow.
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)

    def infer_intents(
        self,
        sentences: Sequence[IntentSentence],
        *,
        min_probability: float = _MIN_PROBABILITY,
    ) -> list[str]:
        """Returns the most probable label of each sentence, NO_INTENT below `min_probability`."""
        intents = []
        for row in self.compute_probabilities(sentences):
            label = int(row.argmax())
            if row[label] >= min_probability:
                intents.append(LABELS[label])
            else:
                intents.append(NO_INTENT)
        return intents


def build_intent_features(sentences: Sequence[IntentSentence], encoder: TextEncoder) -> Float32Array:
    """Returns float32 (n, encoder.width + 3): embedding, question marker, positive polarity, negative polarity."""
    texts = list[str]()
    indicators = np.zeros((len(sentences), 3), np.float32)
    for row, sentence in enumerate(sentences):
        text = clean_text(sentence.text)
        texts.append(text)
        polarity = sum_polarity(text, sentence.language)
        is_question = any(marker in text for marker in _QUESTION_MARKERS)
        indicators[row] = is_question, polarity > 0, polarity < 0
    return np.column_stack([encoder.encode(texts), indicators]).astype(np.float32)


def encode_labels(sentences: Sequence[IntentSentence]) -> Int64Array:
    """Returns int64 (n): the index of each sentence's intent in LABELS."""
    return np.array(
        [LABELS.index(sentence.intent) for sentence in sentences],
        dtype=np.int64,
    )
