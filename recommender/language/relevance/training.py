"""Learns the agreement of comments with descriptions. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.text import clean_text
from recommender.language.relevance.classifier import RelevanceClassifier, compute_embedding_products
from recommender.types import BoolArray

PRODUCT_SCALE, INVERSE_PENALTY = 10.0, 1.0  # products of unit vectors are small; a constant, folded into w


def fit_relevance_classifier(
    comments: Sequence[str], descriptions: Sequence[str], is_positive: BoolArray, encoder: TextEncoder
) -> RelevanceClassifier:
    """praise[i] says whether comment i speaks well of description i; both kinds count alike."""
    columns = PRODUCT_SCALE * compute_embedding_products(
        [clean_text(one) for one in comments], [clean_text(one) for one in descriptions], encoder
    )
    learned = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=300).fit(
        columns, is_positive
    )
    weight = PRODUCT_SCALE * learned.coef_[0]
    return RelevanceClassifier(encoder.name, weight.astype(np.float32), float(learned.intercept_[0]))


def evaluate_balanced_accuracy(
    classifier: RelevanceClassifier,
    comments: Sequence[str],
    descriptions: Sequence[str],
    is_positive: BoolArray,
    encoder: TextEncoder,
) -> float:
    """The mean of the accuracies on praise and on blame: a half for a head that knows nothing."""
    columns = compute_embedding_products(
        [clean_text(one) for one in comments], [clean_text(one) for one in descriptions], encoder
    )
    said = classifier.score(columns) > 0
    return float((said[is_positive].mean() + (~said[~is_positive]).mean()) / 2)
