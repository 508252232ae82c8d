"""Reads reviews: sentiment, aspects and intents of each. For workers: it loads the heads and, for intents, an encoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from recommender.language.agreement import AgreementHead, products
from recommender.language.aspects import verdicts
from recommender.language.encoders import Encoder
from recommender.language.intent import NONE, IntentHead, Sentence
from recommender.language.opinions import Reading
from recommender.language.sentiment import SentimentHead, probability
from recommender.language.texts import Language, clean, joined, language_of, sentences
from recommender.types import Floats

OTHER_LANGUAGE, NO_TEXT = "review in another language", "review without text"
LANGUAGES: tuple[Language, ...] = ("en", "zh")
_ASKED = 4  # sentences of a review whose intent is asked: the first and the last


@dataclass(frozen=True, slots=True)
class Written:
    """A review as its writer left it; `language` is what the client states, `about` the text of the item."""

    title: str
    text: str
    language: str | None = None
    about: str = ""


@dataclass
class ReviewReader:
    """`read` gives a Reading for each review, None for one that cannot be read; `left_out` counts those by reason.

    Without an intent head no intents are found. `encoders` by name are for heads that need one."""

    heads: Mapping[Language, SentimentHead]
    intents: IntentHead | None = None
    agreement: AgreementHead | None = None
    encoders: Mapping[str, Encoder] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def read(self, reviews: Sequence[Written]) -> list[Reading | None]:
        """In order. Whatever the texts hold, a reading or None comes of it."""
        texts = [joined(review.title, review.text) for review in reviews]
        spoken = [language_of(text, stated=one.language) for text, one in zip(texts, reviews, strict=True)]
        self.left_out[NO_TEXT] += sum(not text for text in texts)
        self.left_out[OTHER_LANGUAGE] += sum(
            bool(text) and language is None for text, language in zip(texts, spoken, strict=True)
        )
        found: list[Reading | None] = [None] * len(texts)
        for language in LANGUAGES:
            rows = [row for row, one in enumerate(spoken) if one == language]
            about = [clean(reviews[row].about) for row in rows]
            told = self._read([texts[row] for row in rows], about, language)
            for row, reading in zip(rows, told, strict=True):
                found[row] = reading
        return found

    def _read(self, texts: list[str], about: list[str], language: Language) -> list[Reading]:
        if not texts:
            return []
        head = self.heads[language]
        likely = probability(head.score(texts, self.encoders.get(head.card.encoder)))
        meant, agreed = self._intents(texts, language), self._agreement(texts, about)
        return [
            Reading(float(praise), verdicts(text, language), intents, float(agrees))
            for text, praise, intents, agrees in zip(texts, likely, meant, agreed, strict=True)
        ]

    def _agreement(self, texts: list[str], about: list[str]) -> Floats:
        """Probabilities; a half where nothing describes the item or no head was given."""
        found = np.full(len(texts), 0.5, np.float32)
        rows = [row for row, text in enumerate(about) if text]
        if self.agreement is not None and rows:
            head = self.agreement
            both = products(
                [texts[row] for row in rows], [about[row] for row in rows], self.encoders[head.encoder]
            )
            found[rows] = probability(head.score(both))
        return found

    def _intents(self, texts: list[str], language: Language) -> list[frozenset[str]]:
        if self.intents is None:
            return [frozenset()] * len(texts)
        parts = [_ends(sentences(text)) for text in texts]
        flat = [Sentence(NONE, language, sentence) for part in parts for sentence in part]
        labels = self.intents.intents(flat)
        stops = np.cumsum([0, *map(len, parts)]).tolist()
        return [frozenset(labels[low:high]) - {NONE} for low, high in pairwise(stops)]


def _ends(parts: list[str]) -> list[str]:
    return parts if len(parts) <= _ASKED else parts[: _ASKED // 2] + parts[-_ASKED // 2 :]
