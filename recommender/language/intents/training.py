"""Learns intents from the labelled sentences. Loads scikit-learn: workers and commands only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from sklearn.linear_model import LogisticRegression

from recommender.language.encoders.base import TextEncoder, UniversalSentenceEncoder
from recommender.language.intents.classifier import (
    IntentClassifier,
    IntentSentence,
    build_intent_features,
    encode_labels,
    load_intent_dataset,
)

PENALTY = 1.0


def fit_intent_classifier(sentences: Sequence[IntentSentence], encoder: TextEncoder) -> IntentClassifier:
    """Logistic regression over all labels at once; every label must be there."""
    learned = LogisticRegression(C=1 / PENALTY, max_iter=500).fit(
        build_intent_features(sentences, encoder), encode_labels(sentences)
    )
    return IntentClassifier(
        encoder, learned.coef_.T.astype(np.float32), learned.intercept_.astype(np.float32)
    )


@cache
def train_default_intent_classifier() -> IntentClassifier:
    """Learned from the sentences of the package with the multilingual encoder: a second, once a process."""
    return fit_intent_classifier(load_intent_dataset(), UniversalSentenceEncoder())
