"""Review analysis: sentiment, aspects, intents and relevance of each review. Needs loaded classifiers: workers only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recommender.language.aspects.extraction import compute_aspect_polarities
from recommender.language.encoders.base import TextEncoder
from recommender.language.intents.classifier import (
    NO_INTENT,
    IntentClassifier,
    IntentSentence,
)
from recommender.language.preprocessing.text import (
    Language,
    clean_text,
    detect_language,
    join_title_and_text,
    split_sentences,
)
from recommender.language.relevance.classifier import (
    RelevanceClassifier,
    compute_embedding_products,
)
from recommender.language.reviews.aggregation import ReviewAnalysis
from recommender.language.sentiment.classifier import (
    SentimentClassifier,
    sigmoid,
)
from recommender.types import Float32Array

OTHER_LANGUAGE, NO_TEXT = "review in another language", "review without text"
LANGUAGES: tuple[Language, ...] = ("en", "zh")
_MAX_INTENT_SENTENCES = 4  # sentences per review that are classified: the first two and the last two


@dataclass(frozen=True, slots=True)
class ReviewText:
    """A review as stored: `language` is the code that the client declared, `item_description` the text of the item."""

    title: str
    text: str
    language: str | None = None
    item_description: str = ""


@dataclass
class ReviewAnalyzer:
    """Analyses reviews in English and Chinese.

    Attributes:
        sentiment_classifiers: one for each of LANGUAGES.
        intent_classifier: without it no intents are inferred.
        relevance_classifier: without it the relevance of every review is 0.5.
        encoders: by name, those that the sentiment and relevance classifiers need.
        skipped: number of reviews that were not analysed, by reason; grows with each call.
    """

    sentiment_classifiers: Mapping[Language, SentimentClassifier]
    intent_classifier: IntentClassifier | None = None
    relevance_classifier: RelevanceClassifier | None = None
    encoders: Mapping[str, TextEncoder] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    def analyze_reviews(self, reviews: Sequence[ReviewText]) -> list[ReviewAnalysis | None]:
        """Returns the analysis of each review in order, None for a review without text or in another language."""
        texts = list[str]()
        rows_by_language: dict[Language, list[int]] = {"en": [], "zh": []}
        for row, review in enumerate(reviews):
            text = join_title_and_text(review.title, review.text)
            texts.append(text)
            language = detect_language(text, declared=review.language)
            if language is not None:
                rows_by_language[language].append(row)
            elif text:
                self.skipped[OTHER_LANGUAGE] += 1
            else:
                self.skipped[NO_TEXT] += 1
        analyses: list[ReviewAnalysis | None] = [None] * len(texts)
        for language, rows in rows_by_language.items():
            language_texts = [texts[row] for row in rows]
            descriptions = [clean_text(reviews[row].item_description) for row in rows]
            language_analyses = self._analyze_texts(language_texts, descriptions, language)
            for row, analysis in zip(rows, language_analyses, strict=True):
                analyses[row] = analysis
        return analyses

    def _analyze_texts(
        self,
        texts: list[str],
        descriptions: list[str],
        language: Language,
    ) -> list[ReviewAnalysis]:
        if not texts:
            return []
        classifier = self.sentiment_classifiers[language]
        encoder = self.encoders.get(classifier.metadata.encoder)
        sentiment = sigmoid(classifier.score(texts, encoder))
        intents = self._infer_intents(texts, language)
        relevance = self._score_relevance(texts, descriptions)
        analyses = []
        for row, text in enumerate(texts):
            analyses.append(
                ReviewAnalysis(
                    sentiment=float(sentiment[row]),
                    aspects=compute_aspect_polarities(text, language),
                    intents=intents[row],
                    relevance=float(relevance[row]),
                )
            )
        return analyses

    def _score_relevance(self, texts: list[str], descriptions: list[str]) -> Float32Array:
        """Probabilities float32 (len(texts)); 0.5 without a description or a classifier."""
        probabilities = np.full(len(texts), 0.5, np.float32)
        rows = [row for row, description in enumerate(descriptions) if description]
        classifier = self.relevance_classifier
        if classifier is not None and rows:
            comments = [texts[row] for row in rows]
            products = compute_embedding_products(
                comments=comments,
                descriptions=list(filter(None, descriptions)),
                encoder=self.encoders[classifier.encoder],
            )
            probabilities[rows] = sigmoid(classifier.score(products))
        return probabilities

    def _infer_intents(self, texts: list[str], language: Language) -> list[frozenset[str]]:
        if self.intent_classifier is None:
            return [frozenset()] * len(texts)
        # The sentences of all texts are classified in one batch; owners[i] is the text of sentence i.
        sentences = list[IntentSentence]()
        owners = list[int]()
        for row, text in enumerate(texts):
            for sentence in _select_first_and_last(split_sentences(text)):
                sentences.append(IntentSentence(NO_INTENT, language, sentence))
                owners.append(row)
        intents = [frozenset[str]()] * len(texts)
        labels = self.intent_classifier.infer_intents(sentences)
        for row, label in zip(owners, labels, strict=True):
            if label != NO_INTENT:
                intents[row] |= {label}
        return intents


def _select_first_and_last(sentences: list[str]) -> list[str]:
    if len(sentences) <= _MAX_INTENT_SENTENCES:
        return sentences
    half = _MAX_INTENT_SENTENCES // 2
    return sentences[:half] + sentences[-half:]
