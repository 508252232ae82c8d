"""Accuracy and throughput of sentiment classifiers on texts that they were not trained on.

Imports scikit-learn, so only commands may import this module.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.corpora import LabelledTexts
from recommender.language.preprocessing.text import clean_text, tokenize_text
from recommender.language.sentiment.classifier import SentimentClassifier
from recommender.language.sentiment.onnx_network import OnnxSentimentNetwork
from recommender.language.sentiment.training import evaluate_accuracy
from recommender.types import BoolArray

TOKENS_PER_REVIEW = 128
MAX_DEFAULT_TEXTS = 2_000
NetworkTrainer = Callable[
    [Sequence[str], BoolArray, OnnxSentimentNetwork | None],
    OnnxSentimentNetwork,
]
"""Called with texts, labels and a start network (None: starts from the encoder); returns the fine-tuned network."""


@dataclass(frozen=True, slots=True)
class SentimentMetrics:
    """Accuracies on one test set.

    Attributes:
        n_train: number of training texts.
        n_test: number of test texts.
        accuracy: accuracy of the classifier that was trained on the training texts.
        baseline_accuracy: accuracy of the TF-IDF baseline, trained and tested on the same texts; None if not evaluated.
        default_accuracy: accuracy of the classifier that ships with this package, on the first MAX_DEFAULT_TEXTS test texts.
        leaked_fraction: fraction of the test texts that occur inside a training text; None if not evaluated.
        unleaked_accuracy: accuracy of the trained classifier on the test texts that do not occur inside a training text; None if
            not evaluated or if there are none.
    """

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
    """Evaluates a trained classifier, the TF-IDF baseline and the classifier of this package on `test`.

    Args:
        train: the texts that `classifier` was trained on; the baseline is trained on them too.
        test: the test texts.
        classifier: the trained classifier; must not need an encoder.
        default_classifier: the classifier that ships with this package.
        default_encoder: the encoder of `default_classifier`, if it has one.
        compare_baseline: whether to train and evaluate the baseline.
        check_leakage: whether to look for test texts inside training texts.
    """
    scores = classifier.score(list(map(clean_text, test.texts)))
    is_correct = (scores > 0) == test.is_positive
    baseline_accuracy = leaked_fraction = unleaked_accuracy = None
    if compare_baseline:
        baseline_accuracy = evaluate_tfidf_baseline(train, test)
    if check_leakage:
        is_leaked = _find_leaked_texts(train.texts, test.texts)
        leaked_fraction = float(is_leaked.mean())
        if not is_leaked.all():
            unleaked_accuracy = float(is_correct[~is_leaked].mean())
    default_accuracy = evaluate_accuracy(
        default_classifier,
        test.texts[:MAX_DEFAULT_TEXTS],
        test.is_positive[:MAX_DEFAULT_TEXTS],
        default_encoder,
    )
    return SentimentMetrics(
        n_train=len(train),
        n_test=len(test),
        accuracy=float(is_correct.mean()),
        baseline_accuracy=baseline_accuracy,
        default_accuracy=default_accuracy,
        leaked_fraction=leaked_fraction,
        unleaked_accuracy=unleaked_accuracy,
    )


def evaluate_tfidf_baseline(train: LabelledTexts, test: LabelledTexts) -> float:
    """Returns the test accuracy of scikit-learn's logistic regression over TF-IDF of character 1- to 3-grams."""
    vectorizer = TfidfVectorizer(
        analyzer="char",
        ngram_range=(1, 3),
        min_df=2,
        sublinear_tf=True,
    )
    model = LogisticRegression(C=10, max_iter=200)
    model.fit(vectorizer.fit_transform(train.texts), train.is_positive)
    return float(model.score(vectorizer.transform(test.texts), test.is_positive))


def measure_throughput(
    classifier: SentimentClassifier,
    texts: Sequence[str],
    encoder: TextEncoder | None = None,
    *,
    count: int = 1_000,
) -> float:
    """Measures how many reviews of TOKENS_PER_REVIEW tokens are cleaned and scored per second of CPU time.

    Args:
        classifier: the classifier to measure.
        texts: reviews from which `count` longer ones are composed.
        encoder: the encoder of the classifier, if it has one.
        count: number of reviews to score.
    """
    long_texts = _build_long_texts(texts, count)
    classifier.score(long_texts[:1], encoder)  # loads encoder and network, which is not part of the rate
    # CPU time instead of wall-clock time: other processes of the machine do not change the result.
    started = time.process_time()
    classifier.score(list(map(clean_text, long_texts)), encoder)
    return len(long_texts) / (time.process_time() - started)


def _build_long_texts(texts: Sequence[str], count: int) -> list[str]:
    """`count` texts of at least TOKENS_PER_REVIEW tokens, each joined from consecutive given texts."""
    source = cycle(texts)
    return [_join_long_text(source) for _ in range(count)]


def _join_long_text(source: Iterator[str]) -> str:
    pieces = list[str]()
    n_tokens = 0
    while n_tokens < TOKENS_PER_REVIEW:
        # An empty text counts as one token; otherwise the loop would not end if no text had words.
        piece = clean_text(next(source)) or "."
        pieces.append(piece)
        n_tokens += max(len(tokenize_text(piece)), 1)
    return " ".join(pieces)


def _find_leaked_texts(train_texts: Sequence[str], test_texts: Sequence[str]) -> BoolArray:
    """bool (len(test_texts)): whether a training text contains the test text, apart from white space."""
    # One string of all training texts: a single substring search instead of one for each pair. Normalised texts
    # contain no line feed, so no match crosses two of them.
    haystack = "\n".join(map(_normalize_whitespace, train_texts))
    return np.array(
        [_normalize_whitespace(text) in haystack for text in test_texts],
        np.bool_,
    )


def _normalize_whitespace(text: str) -> str:
    return " ".join(text.split())
