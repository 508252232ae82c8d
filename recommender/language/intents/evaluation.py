"""How good intents are on sentences that were not learned from. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold

from recommender.language.encoders.base import TextEncoder
from recommender.language.intents.classifier import LABELS, IntentSentence, encode_labels
from recommender.language.intents.training import fit_intent_classifier
from recommender.types import BoolArray

FOLDS = 10


@dataclass(frozen=True, slots=True)
class IntentMetrics:
    """By cross-validation: the share of right labels, in each language too, and F1 of each label. `commonest` is the
    share of the most frequent label: what always saying it would get."""

    sentences: int
    accuracy: float
    majority_accuracy: float
    by_language: Mapping[str, float]
    f1: Mapping[str, float]


def evaluate_intents(
    sentences: Sequence[IntentSentence], encoder: TextEncoder, *, seed: int = 0
) -> IntentMetrics:
    """Every sentence is labelled by a head that has not seen it."""
    label = encode_labels(sentences)
    given = np.zeros_like(label)
    language = np.array([sentence.language for sentence in sentences])
    strata = [f"{one} {spoken}" for one, spoken in zip(label, language, strict=True)]
    for learn, asked in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(label, strata):
        head = fit_intent_classifier([sentences[row] for row in learn], encoder)
        likely = head.compute_probabilities([sentences[row] for row in asked])
        given[asked] = likely.argmax(axis=1)
    right = given == label
    return IntentMetrics(
        len(sentences),
        float(right.mean()),
        float(np.bincount(label).max() / len(label)),
        {str(one): float(right[language == one].mean()) for one in np.unique(language)},
        {name: _compute_f1(given == at, label == at) for at, name in enumerate(LABELS)},
    )


def _compute_f1(predicted: BoolArray, actual: BoolArray) -> float:
    both = int((predicted & actual).sum())
    return 2 * both / max(int(predicted.sum()) + int(actual.sum()), 1)
