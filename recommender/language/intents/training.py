"""Training of the intent classifier. Imports scikit-learn, so only workers and commands may import this module."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from sklearn.linear_model import LogisticRegression

from recommender.language.encoders.base import TextEncoder
from recommender.language.encoders.use import UniversalSentenceEncoder
from recommender.language.intents.classifier import (
    IntentClassifier,
    IntentSentence,
    build_intent_features,
    encode_labels,
    load_intent_dataset,
)

PENALTY = 1.0


def fit_intent_classifier(sentences: Sequence[IntentSentence], encoder: TextEncoder) -> IntentClassifier:
    """Fits a multinomial logistic regression with L2 penalty; every label of LABELS must occur in `sentences`."""
    model = LogisticRegression(C=1 / PENALTY, max_iter=500)
    model.fit(build_intent_features(sentences, encoder), encode_labels(sentences))
    return IntentClassifier(
        encoder=encoder,
        weight=model.coef_.T.astype(np.float32),
        bias=model.intercept_.astype(np.float32),
    )


@cache
def train_default_intent_classifier() -> IntentClassifier:
    """Trains on the sentences of this package with the multilingual encoder: about a second, once per process."""
    return fit_intent_classifier(load_intent_dataset(), UniversalSentenceEncoder())
