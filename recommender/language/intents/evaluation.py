"""Cross-validation of the intent classifier. Imports scikit-learn, so only commands may import this module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold

from recommender.language.encoders.base import TextEncoder
from recommender.language.intents.classifier import (
    LABELS,
    IntentSentence,
    encode_labels,
)
from recommender.language.intents.training import fit_intent_classifier
from recommender.types import BoolArray

FOLDS = 10


@dataclass(frozen=True, slots=True)
class IntentMetrics:
    """Cross-validated accuracy, also by language, and F1 of each label.

    `majority_accuracy` is the accuracy of a classifier that always predicts the most frequent label."""

    sentences: int
    accuracy: float
    majority_accuracy: float
    by_language: Mapping[str, float]
    f1: Mapping[str, float]


def evaluate_intents(
    sentences: Sequence[IntentSentence], encoder: TextEncoder, *, seed: int = 0
) -> IntentMetrics:
    """Evaluates by ten-fold cross-validation, stratified by label and language."""
    labels = encode_labels(sentences)
    predicted = np.zeros_like(labels)
    languages = np.array([sentence.language for sentence in sentences])
    strata = []
    for label, language in zip(labels, languages, strict=True):
        strata.append(f"{label} {language}")
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for train_rows, test_rows in splitter.split(labels, strata):
        train_sentences = [sentences[row] for row in train_rows]
        test_sentences = [sentences[row] for row in test_rows]
        classifier = fit_intent_classifier(train_sentences, encoder)
        probabilities = classifier.compute_probabilities(test_sentences)
        predicted[test_rows] = probabilities.argmax(axis=1)
    is_correct = predicted == labels
    by_language = {}
    for language in np.unique(languages):
        language_rows = languages == language
        by_language[str(language)] = float(is_correct[language_rows].mean())
    f1 = {}
    for label, name in enumerate(LABELS):
        f1[name] = _compute_f1(predicted == label, labels == label)
    return IntentMetrics(
        sentences=len(sentences),
        accuracy=float(is_correct.mean()),
        majority_accuracy=float(np.bincount(labels).max() / len(labels)),
        by_language=by_language,
        f1=f1,
    )


def _compute_f1(predicted: BoolArray, actual: BoolArray) -> float:
    n_correct = int((predicted & actual).sum())
    n_total = int(predicted.sum()) + int(actual.sum())
    # F1 is 0 for a label that neither occurs nor is predicted.
    return 2 * n_correct / max(n_total, 1)
