"""Reads reviews: sentiment, aspects and intents of each. For workers: it loads the heads and, for intents, an encoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from recommender.language.aspects.extraction import compute_aspect_polarities
from recommender.language.encoders.base import TextEncoder
from recommender.language.intents.classifier import NO_INTENT, IntentClassifier, IntentSentence
from recommender.language.preprocessing.text import (
    Language,
    clean_text,
    detect_language,
    join_title_and_text,
    split_sentences,
)
from recommender.language.relevance.classifier import RelevanceClassifier, compute_embedding_products
from recommender.language.reviews.summary import ReviewAnalysis
from recommender.language.sentiment.classifier import SentimentClassifier, sigmoid
from recommender.types import Float32Array

OTHER_LANGUAGE, NO_TEXT = "review in another language", "review without text"
LANGUAGES: tuple[Language, ...] = ("en", "zh")
_MAX_INTENT_SENTENCES = 4  # sentences of a review whose intent is asked: the first and the last


@dataclass(frozen=True, slots=True)
class ReviewText:
    """A review as its writer left it; `language` is what the client states, `about` the text of the item."""

    title: str
    text: str
    language: str | None = None
    item_description: str = ""


@dataclass
class ReviewAnalyzer:
    """`read` gives a Reading for each review, None for one that cannot be read; `left_out` counts those by reason.

    Without an intent head no intents are found. `encoders` by name are for heads that need one."""

    sentiment_classifiers: Mapping[Language, SentimentClassifier]
    intent_classifier: IntentClassifier | None = None
    relevance_classifier: RelevanceClassifier | None = None
    encoders: Mapping[str, TextEncoder] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    def analyze_reviews(self, reviews: Sequence[ReviewText]) -> list[ReviewAnalysis | None]:
        """In order. Whatever the texts hold, a reading or None comes of it."""
        texts = [join_title_and_text(review.title, review.text) for review in reviews]
        spoken = [
            detect_language(text, declared=one.language) for text, one in zip(texts, reviews, strict=True)
        ]
        self.skipped[NO_TEXT] += sum(not text for text in texts)
        self.skipped[OTHER_LANGUAGE] += sum(
            bool(text) and language is None for text, language in zip(texts, spoken, strict=True)
        )
        found: list[ReviewAnalysis | None] = [None] * len(texts)
        for language in LANGUAGES:
            rows = [row for row, one in enumerate(spoken) if one == language]
            about = [clean_text(reviews[row].item_description) for row in rows]
            told = self._analyze_texts([texts[row] for row in rows], about, language)
            for row, reading in zip(rows, told, strict=True):
                found[row] = reading
        return found

    def _analyze_texts(
        self, texts: list[str], descriptions: list[str], language: Language
    ) -> list[ReviewAnalysis]:
        if not texts:
            return []
        head = self.sentiment_classifiers[language]
        likely = sigmoid(head.score(texts, self.encoders.get(head.metadata.encoder)))
        meant, agreed = self._infer_intents(texts, language), self._score_relevance(texts, descriptions)
        return [
            ReviewAnalysis(float(praise), compute_aspect_polarities(text, language), intents, float(agrees))
            for text, praise, intents, agrees in zip(texts, likely, meant, agreed, strict=True)
        ]

    def _score_relevance(self, texts: list[str], descriptions: list[str]) -> Float32Array:
        """Probabilities; a half where nothing describes the item or no head was given."""
        found = np.full(len(texts), 0.5, np.float32)
        rows = [row for row, text in enumerate(descriptions) if text]
        if self.relevance_classifier is not None and rows:
            head = self.relevance_classifier
            both = compute_embedding_products(
                [texts[row] for row in rows], [descriptions[row] for row in rows], self.encoders[head.encoder]
            )
            found[rows] = sigmoid(head.score(both))
        return found

    def _infer_intents(self, texts: list[str], language: Language) -> list[frozenset[str]]:
        if self.intent_classifier is None:
            return [frozenset()] * len(texts)
        parts = [_select_first_and_last(split_sentences(text)) for text in texts]
        flat = [IntentSentence(NO_INTENT, language, sentence) for part in parts for sentence in part]
        labels = self.intent_classifier.infer_intents(flat)
        stops = np.cumsum([0, *map(len, parts)]).tolist()
        return [frozenset(labels[low:high]) - {NO_INTENT} for low, high in pairwise(stops)]


def _select_first_and_last(sentences: list[str]) -> list[str]:
    return (
        sentences
        if len(sentences) <= _MAX_INTENT_SENTENCES
        else sentences[: _MAX_INTENT_SENTENCES // 2] + sentences[-_MAX_INTENT_SENTENCES // 2 :]
    )
