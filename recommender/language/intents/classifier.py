"""What the writer of a sentence means to do: buy again, return, complain, ask, or none of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.lexicon import sum_polarity
from recommender.language.preprocessing.resources import read_resource
from recommender.language.preprocessing.text import Language, clean_text
from recommender.language.reviews.summary import INTENTS
from recommender.types import Float32Array, Int64Array

NO_INTENT = "none"
LABELS = (NO_INTENT, *INTENTS)
_CUE_SCALE, _MIN_PROBABILITY = 1.0, 0.5
_QUESTION_MARKERS = ("?", "？", "吗", "呢", "请问")


@dataclass(frozen=True, slots=True)
class IntentSentence:
    intent: str
    language: Language
    text: str


@cache
def load_intent_dataset() -> tuple[IntentSentence, ...]:
    """The sentences that intents are learned from and measured on, by cross-validation; they come with the package."""
    rows = [line.split("\t") for line in read_resource("intents.tsv").splitlines() if line and line[0] != "#"]
    return tuple(
        IntentSentence(intent, "zh" if language == "zh" else "en", text) for intent, language, text in rows
    )


@dataclass(frozen=True, slots=True)
class IntentClassifier:
    """Log-odds of each label: x . weight + bias, x the vector of a sentence and its cues."""

    encoder: TextEncoder
    weight: Float32Array
    bias: Float32Array

    def compute_probabilities(self, sentences: Sequence[IntentSentence]) -> Float32Array:
        """float32 (len(sentences), len(LABELS)), rows that add up to one."""
        odds = build_intent_features(sentences, self.encoder) @ self.weight + self.bias
        odds = np.exp(odds - odds.max(axis=1, keepdims=True)) if len(odds) else odds
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)

    def infer_intents(
        self, sentences: Sequence[IntentSentence], *, min_probability: float = _MIN_PROBABILITY
    ) -> list[str]:
        """The likeliest label of each sentence; NONE where none is as likely as `sure`."""
        likely = self.compute_probabilities(sentences)
        best = likely.argmax(axis=1) if len(likely) else np.empty(0, np.int64)
        return [
            LABELS[at] if likely[row, at] >= min_probability else NO_INTENT for row, at in enumerate(best)
        ]


def build_intent_features(sentences: Sequence[IntentSentence], encoder: TextEncoder) -> Float32Array:
    """float32 (n, width + 3): vector, and the cues question, praise, blame."""
    texts = [clean_text(sentence.text) for sentence in sentences]
    cues = np.zeros((len(texts), 3), np.float32)
    for row, (sentence, text) in enumerate(zip(sentences, texts, strict=True)):
        tone = sum_polarity(text, sentence.language)
        cues[row] = any(mark in text for mark in _QUESTION_MARKERS), tone > 0, tone < 0
    return np.column_stack([encoder.encode(texts), _CUE_SCALE * cues]).astype(np.float32)


def encode_labels(sentences: Sequence[IntentSentence]) -> Int64Array:
    return np.array([LABELS.index(sentence.intent) for sentence in sentences], dtype=np.int64)
