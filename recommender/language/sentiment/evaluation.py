"""How good sentiment is on texts that were not learned from, and how many reviews a second. Loads scikit-learn: commands only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.corpora import LabelledTexts
from recommender.language.preprocessing.text import clean_text, tokenize_text
from recommender.language.sentiment.classifier import SentimentClassifier
from recommender.language.sentiment.training import evaluate_accuracy

TOKENS_PER_REVIEW = 128
MAX_DEFAULT_TEXTS = 2_000


@dataclass(frozen=True, slots=True)
class SentimentMetrics:
    """Accuracies on one set; `shipped` on at most its first MOST_SHIPPED texts.

    `seen`: the share of measured texts that stand, whole, inside a text learned from, and `unseen`: the accuracy on the
    others; both None where nobody asked."""

    n_train: int
    n_test: int
    accuracy: float
    baseline_accuracy: float | None
    default_accuracy: float
    leaked_fraction: float | None = None
    unleaked_accuracy: float | None = None


def evaluate_sentiment(
    train: LabelledTexts,
    test: LabelledTexts,
    *,
    classifier: SentimentClassifier,
    default_classifier: SentimentClassifier,
    default_encoder: TextEncoder | None,
    compare_baseline: bool = True,
    check_leakage: bool = False,
) -> SentimentMetrics:
    """A head learned from `learn`, the TF-IDF baseline learned from the same, and the head that ships, on `test`."""
    right = (classifier.score([clean_text(text) for text in test.texts]) > 0) == test.is_positive
    known = _find_leaked_texts(train.texts, test.texts) if check_leakage else np.zeros(len(test), np.bool_)
    return SentimentMetrics(
        n_train=len(train),
        n_test=len(test),
        accuracy=float(right.mean()),
        baseline_accuracy=evaluate_tfidf_baseline(train, test) if compare_baseline else None,
        default_accuracy=evaluate_accuracy(
            default_classifier,
            test.texts[:MAX_DEFAULT_TEXTS],
            test.is_positive[:MAX_DEFAULT_TEXTS],
            default_encoder,
        ),
        leaked_fraction=float(known.mean()) if check_leakage else None,
        unleaked_accuracy=float(right[~known].mean()) if check_leakage and not known.all() else None,
    )


def evaluate_tfidf_baseline(train: LabelledTexts, test: LabelledTexts) -> float:
    """The bar: character runs of one to three letters, TF-IDF, logistic regression, as scikit-learn does them."""
    vectoriser = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
    columns = vectoriser.fit_transform(train.texts)
    learned = LogisticRegression(C=10, max_iter=200).fit(columns, train.is_positive)
    return float(learned.score(vectoriser.transform(test.texts), test.is_positive))


def measure_throughput(
    classifier: SentimentClassifier,
    texts: Sequence[str],
    encoder: TextEncoder | None = None,
    *,
    count: int = 1_000,
) -> float:
    """Of TOKENS tokens each, cleaned and scored: a second of one processor, whatever else the machine does."""
    long = _build_long_texts(texts, count)
    classifier.score(long[:1], encoder)  # what is loaded once is no part of the rate
    started = time.process_time()
    classifier.score([clean_text(text) for text in long], encoder)
    return len(long) / (time.process_time() - started)


def _build_long_texts(texts: Sequence[str], count: int) -> list[str]:
    """`count` texts of TOKENS tokens, pieced together from the given ones."""
    made, at = list[str](), 0
    while len(made) < count:
        piece, size = list[str](), 0
        while size < TOKENS_PER_REVIEW:
            text = clean_text(texts[at % len(texts)]) or "."
            piece.append(text)
            size += max(len(tokenize_text(text)), 1)
            at += 1
        made.append(" ".join(piece))
    return made


def _find_leaked_texts(
    train_texts: Sequence[str], test_texts: Sequence[str]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    everything = "\n".join(" ".join(text.split()) for text in train_texts)
    return np.array([" ".join(text.split()) in everything for text in test_texts], np.bool_)
