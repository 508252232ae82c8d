"""The reader that trainings use. Loads scikit-learn, and torch where a head asks for it: workers and commands only."""

from __future__ import annotations

from pathlib import Path

from recommender.language.agreement import shipped_agreement
from recommender.language.intent_training import standard_head
from recommender.language.reading import LANGUAGES, ReviewReader
from recommender.language.sentiment import SentimentHead, shipped_head
from recommender.language.texts import Language
from recommender.language.transformer_training import open_encoder


def review_reader(folder: Path | None = None) -> ReviewReader:
    """The sentiment heads that lie in `folder` as `sentiment-en.safetensors` and `sentiment-zh.safetensors`; for a
    language without one there, the head of the package. Raises DataError for a head that cannot be read."""
    heads = {language: _head(language, folder) for language in LANGUAGES}
    agreement = shipped_agreement()
    names = {agreement.encoder, *(head.card.encoder for head in heads.values())} - {""}
    encoders = {name: open_encoder(name) for name in sorted(names)}
    return ReviewReader(heads, standard_head(), agreement, encoders)


def _head(language: Language, folder: Path | None) -> SentimentHead:
    path = folder / f"sentiment-{language}.safetensors" if folder else None
    return SentimentHead.load(path) if path and path.is_file() else shipped_head(language)
