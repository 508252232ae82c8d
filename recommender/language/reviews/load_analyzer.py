"""The reader that trainings use. Loads scikit-learn, and torch where a head asks for it: workers and commands only."""

from __future__ import annotations

from pathlib import Path

from recommender.language.encoders.huggingface import open_encoder
from recommender.language.intents.training import train_default_intent_classifier
from recommender.language.preprocessing.text import Language
from recommender.language.relevance.classifier import load_default_relevance_classifier
from recommender.language.reviews.analyzer import LANGUAGES, ReviewAnalyzer
from recommender.language.sentiment.classifier import SentimentClassifier, load_default_sentiment_classifier


def load_review_analyzer(folder: Path | None = None) -> ReviewAnalyzer:
    """The sentiment heads that lie in `folder` as `sentiment-en.safetensors` and `sentiment-zh.safetensors`; for a
    language without one there, the head of the package. Raises DataError for a head that cannot be read."""
    heads = {language: _load_sentiment_classifier(language, folder) for language in LANGUAGES}
    agreement = load_default_relevance_classifier()
    names = {agreement.encoder, *(head.metadata.encoder for head in heads.values())} - {""}
    encoders = {name: open_encoder(name) for name in sorted(names)}
    return ReviewAnalyzer(heads, train_default_intent_classifier(), agreement, encoders)


def _load_sentiment_classifier(language: Language, folder: Path | None) -> SentimentClassifier:
    path = folder / f"sentiment-{language}.safetensors" if folder else None
    return (
        SentimentClassifier.load(path)
        if path and path.is_file()
        else load_default_sentiment_classifier(language)
    )
