"""Assembles the review analyzer of a training run.

Imports scikit-learn, and torch for some encoders, so only workers and commands may import this module.
"""

from __future__ import annotations

from pathlib import Path

from recommender.language.encoders.huggingface import open_encoder
from recommender.language.intents.training import (
    train_default_intent_classifier,
)
from recommender.language.preprocessing.text import Language
from recommender.language.relevance.classifier import (
    load_default_relevance_classifier,
)
from recommender.language.reviews.analyzer import LANGUAGES, ReviewAnalyzer
from recommender.language.sentiment.classifier import (
    SentimentClassifier,
    load_default_sentiment_classifier,
)


def load_review_analyzer(folder: Path | None = None) -> ReviewAnalyzer:
    """Loads sentiment classifiers from `folder`, all others from this package.

    Args:
        folder: may contain `sentiment-en.safetensors` and `sentiment-zh.safetensors`. A language without a file there
            gets the classifier of this package.

    Raises:
        DataError: a classifier or an encoder cannot be read.
    """
    sentiment_classifiers = {language: _load_sentiment_classifier(language, folder) for language in LANGUAGES}
    relevance_classifier = load_default_relevance_classifier()
    encoder_names = {relevance_classifier.encoder}
    for classifier in sentiment_classifiers.values():
        # A classifier without an encoder stores the empty name.
        if classifier.metadata.encoder:
            encoder_names.add(classifier.metadata.encoder)
    return ReviewAnalyzer(
        sentiment_classifiers=sentiment_classifiers,
        intent_classifier=train_default_intent_classifier(),
        relevance_classifier=relevance_classifier,
        encoders={name: open_encoder(name) for name in sorted(encoder_names)},
    )


def _load_sentiment_classifier(language: Language, folder: Path | None) -> SentimentClassifier:
    if folder is not None:
        path = folder / f"sentiment-{language}.safetensors"
        if path.is_file():
            return SentimentClassifier.load(path)
    return load_default_sentiment_classifier(language)
