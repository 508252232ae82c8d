"""How good intents are on sentences that were not learned from. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold

from recommender.language.encoders import Encoder
from recommender.language.intent import LABELS, Sentence, numbered
from recommender.language.intent_training import fit
from recommender.types import Bools

FOLDS = 10


@dataclass(frozen=True, slots=True)
class IntentFinding:
    """By cross-validation: the share of right labels, in each language too, and F1 of each label. `commonest` is the
    share of the most frequent label: what always saying it would get."""

    sentences: int
    accuracy: float
    commonest: float
    by_language: Mapping[str, float]
    f1: Mapping[str, float]


def cross_validated(sentences: Sequence[Sentence], encoder: Encoder, *, seed: int = 0) -> IntentFinding:
    """Every sentence is labelled by a head that has not seen it."""
    label = numbered(sentences)
    given = np.zeros_like(label)
    language = np.array([sentence.language for sentence in sentences])
    strata = [f"{one} {spoken}" for one, spoken in zip(label, language, strict=True)]
    for learn, asked in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(label, strata):
        head = fit([sentences[row] for row in learn], encoder)
        likely = head.probabilities([sentences[row] for row in asked])
        given[asked] = likely.argmax(axis=1)
    right = given == label
    return IntentFinding(
        len(sentences),
        float(right.mean()),
        float(np.bincount(label).max() / len(label)),
        {str(one): float(right[language == one].mean()) for one in np.unique(language)},
        {name: _f1(given == at, label == at) for at, name in enumerate(LABELS)},
    )


def _f1(given: Bools, true: Bools) -> float:
    both = int((given & true).sum())
    return 2 * both / max(int(given.sum()) + int(true.sum()), 1)
