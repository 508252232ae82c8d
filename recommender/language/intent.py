"""What the writer of a sentence means to do: buy again, return, complain, ask, or none of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from recommender.language.encoders import Encoder
from recommender.language.lexicon import leaning
from recommender.language.opinions import INTENTS
from recommender.language.packaged import resource
from recommender.language.texts import Language, clean
from recommender.types import Floats, Longs

NONE = "none"
LABELS = (NONE, *INTENTS)
_CUES, _SURE = 1.0, 0.5
_QUESTION = ("?", "？", "吗", "呢", "请问")


@dataclass(frozen=True, slots=True)
class Sentence:
    intent: str
    language: Language
    text: str


@cache
def labelled() -> tuple[Sentence, ...]:
    """The sentences that intents are learned from and measured on, by cross-validation; they come with the package."""
    rows = [line.split("\t") for line in resource("intents.tsv").splitlines() if line and line[0] != "#"]
    return tuple(
        Sentence(intent, "zh" if language == "zh" else "en", text) for intent, language, text in rows
    )


@dataclass(frozen=True, slots=True)
class IntentHead:
    """Log-odds of each label: x . weight + bias, x the vector of a sentence and its cues."""

    encoder: Encoder
    weight: Floats
    bias: Floats

    def probabilities(self, sentences: Sequence[Sentence]) -> Floats:
        """float32 (len(sentences), len(LABELS)), rows that add up to one."""
        odds = features(sentences, self.encoder) @ self.weight + self.bias
        odds = np.exp(odds - odds.max(axis=1, keepdims=True)) if len(odds) else odds
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)

    def intents(self, sentences: Sequence[Sentence], *, sure: float = _SURE) -> list[str]:
        """The likeliest label of each sentence; NONE where none is as likely as `sure`."""
        likely = self.probabilities(sentences)
        best = likely.argmax(axis=1) if len(likely) else np.empty(0, np.int64)
        return [LABELS[at] if likely[row, at] >= sure else NONE for row, at in enumerate(best)]


def features(sentences: Sequence[Sentence], encoder: Encoder) -> Floats:
    """float32 (n, width + 3): vector, and the cues question, praise, blame."""
    texts = [clean(sentence.text) for sentence in sentences]
    cues = np.zeros((len(texts), 3), np.float32)
    for row, (sentence, text) in enumerate(zip(sentences, texts, strict=True)):
        tone = leaning(text, sentence.language)
        cues[row] = any(mark in text for mark in _QUESTION), tone > 0, tone < 0
    return np.column_stack([encoder.vectors(texts), _CUES * cues]).astype(np.float32)


def numbered(sentences: Sequence[Sentence]) -> Longs:
    return np.array([LABELS.index(sentence.intent) for sentence in sentences], dtype=np.int64)
