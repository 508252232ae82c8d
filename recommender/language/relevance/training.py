"""Training of the relevance classifier. Imports scikit-learn, so only commands may import this module."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from recommender.language.encoders.base import TextEncoder
from recommender.language.preprocessing.corpora import LabelledTexts
from recommender.language.preprocessing.text import clean_text
from recommender.language.relevance.classifier import (
    RelevanceClassifier,
    compute_embedding_products,
)
from recommender.types import Float32Array

# Products of unit vectors are small, so the penalty would dominate; the scale is folded into the weights afterwards.
PRODUCT_SCALE = 10.0
INVERSE_PENALTY = 1.0


def fit_relevance_classifier(texts: LabelledTexts, encoder: TextEncoder) -> RelevanceClassifier:
    """Fits a logistic regression with balanced class weights; `texts` are comments with descriptions."""
    model = LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=300)
    model.fit(PRODUCT_SCALE * _compute_products(texts, encoder), texts.is_positive)
    weight = PRODUCT_SCALE * model.coef_[0]
    return RelevanceClassifier(
        encoder=encoder.name,
        weight=weight.astype(np.float32),
        bias=float(model.intercept_[0]),
    )


def evaluate_balanced_accuracy(
    classifier: RelevanceClassifier, texts: LabelledTexts, encoder: TextEncoder
) -> float:
    """Returns the mean of the accuracies on positive and on negative comments; 0.5 for a constant prediction."""
    predicted = classifier.score(_compute_products(texts, encoder)) > 0
    true_positive_rate = predicted[texts.is_positive].mean()
    true_negative_rate = (~predicted[~texts.is_positive]).mean()
    return float((true_positive_rate + true_negative_rate) / 2)


def _compute_products(texts: LabelledTexts, encoder: TextEncoder) -> Float32Array:
    return compute_embedding_products(
        comments=list(map(clean_text, texts.texts)),
        descriptions=list(map(clean_text, texts.descriptions)),
        encoder=encoder,
    )
