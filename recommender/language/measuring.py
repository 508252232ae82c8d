"""How good sentiment is on texts that were not learned from, and how many reviews a second. Loads scikit-learn: commands only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from recommender.language.corpora import Labelled
from recommender.language.encoders import Encoder
from recommender.language.sentiment import SentimentHead
from recommender.language.sentiment_training import accuracy
from recommender.language.texts import clean, tokens

TOKENS = 128
MOST_SHIPPED = 2_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Accuracies on one set; `shipped` on at most its first MOST_SHIPPED texts.

    `seen`: the share of measured texts that stand, whole, inside a text learned from, and `unseen`: the accuracy on the
    others; both None where nobody asked."""

    learned: int
    measured: int
    accuracy: float
    baseline: float | None
    shipped: float
    seen: float | None = None
    unseen: float | None = None


def measure(
    learn: Labelled,
    test: Labelled,
    *,
    head: SentimentHead,
    shipped: SentimentHead,
    shipped_encoder: Encoder | None,
    baseline: bool = True,
    seen: bool = False,
) -> Finding:
    """A head learned from `learn`, the TF-IDF baseline learned from the same, and the head that ships, on `test`."""
    right = (head.score([clean(text) for text in test.texts]) > 0) == test.praise
    known = _standing_in(learn.texts, test.texts) if seen else np.zeros(len(test), np.bool_)
    return Finding(
        learned=len(learn),
        measured=len(test),
        accuracy=float(right.mean()),
        baseline=tfidf_accuracy(learn, test) if baseline else None,
        shipped=accuracy(shipped, test.texts[:MOST_SHIPPED], test.praise[:MOST_SHIPPED], shipped_encoder),
        seen=float(known.mean()) if seen else None,
        unseen=float(right[~known].mean()) if seen and not known.all() else None,
    )


def tfidf_accuracy(learn: Labelled, test: Labelled) -> float:
    """The bar: character runs of one to three letters, TF-IDF, logistic regression, as scikit-learn does them."""
    vectoriser = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
    columns = vectoriser.fit_transform(learn.texts)
    learned = LogisticRegression(C=10, max_iter=200).fit(columns, learn.praise)
    return float(learned.score(vectoriser.transform(test.texts), test.praise))


def reviews_a_second(
    head: SentimentHead, texts: Sequence[str], encoder: Encoder | None = None, *, count: int = 1_000
) -> float:
    """Of TOKENS tokens each, cleaned and scored: a second of one processor, whatever else the machine does."""
    long = _of_length(texts, count)
    head.score(long[:1], encoder)  # what is loaded once is no part of the rate
    started = time.process_time()
    head.score([clean(text) for text in long], encoder)
    return len(long) / (time.process_time() - started)


def _of_length(texts: Sequence[str], count: int) -> list[str]:
    """`count` texts of TOKENS tokens, pieced together from the given ones."""
    made, at = list[str](), 0
    while len(made) < count:
        piece, size = list[str](), 0
        while size < TOKENS:
            text = clean(texts[at % len(texts)]) or "."
            piece.append(text)
            size += max(len(tokens(text)), 1)
            at += 1
        made.append(" ".join(piece))
    return made


def _standing_in(learned: Sequence[str], asked: Sequence[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    everything = "\n".join(" ".join(text.split()) for text in learned)
    return np.array([" ".join(text.split()) in everything for text in asked], np.bool_)
