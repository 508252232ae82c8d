"""Learns intents from the labelled sentences. Loads scikit-learn: workers and commands only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from sklearn.linear_model import LogisticRegression

from recommender.language.encoders import Encoder, Multilingual
from recommender.language.intent import IntentHead, Sentence, features, labelled, numbered

PENALTY = 1.0


def fit(sentences: Sequence[Sentence], encoder: Encoder) -> IntentHead:
    """Logistic regression over all labels at once; every label must be there."""
    learned = LogisticRegression(C=1 / PENALTY, max_iter=500).fit(
        features(sentences, encoder), numbered(sentences)
    )
    return IntentHead(encoder, learned.coef_.T.astype(np.float32), learned.intercept_.astype(np.float32))


@cache
def standard_head() -> IntentHead:
    """Learned from the sentences of the package with the multilingual encoder: a second, once a process."""
    return fit(labelled(), Multilingual())
