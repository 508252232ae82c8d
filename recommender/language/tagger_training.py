"""Learns where a sentence names what it has an opinion on. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from recommender.language.corpora import Annotated
from recommender.language.tagger import Tagger, document_shares, term_of, word_features
from recommender.language.texts import clean, words
from recommender.types import Bools

STRENGTH, THRESHOLD = 0.3, -1.2


def fit(sentences: Sequence[Annotated]) -> Tagger:
    """From annotated sentences of at least one product."""
    by_product: dict[str, list[Annotated]] = {}
    for sentence in sentences:
        by_product.setdefault(sentence.product, []).append(sentence)
    columns, named = [], []
    for own in by_product.values():
        spoken = [words(clean(sentence.text)) for sentence in own]
        columns.append(word_features(spoken, shares(own)))
        named += [named_words(row, sentence) for row, sentence in zip(spoken, own, strict=True)]
    learned = LogisticRegression(C=STRENGTH, solver="liblinear", max_iter=50)
    learned.fit(sparse.vstack(columns, format="csr"), np.concatenate(named))
    return Tagger(learned.coef_[0].astype(np.float32), float(learned.intercept_[0]), THRESHOLD)


def shares(sentences: Sequence[Annotated]) -> Mapping[str, float]:
    return document_shares(clean(sentence.text) for sentence in sentences)


def named_words(spoken: Sequence[str], sentence: Annotated) -> Bools:
    """Which words of a sentence belong to a term it is annotated with."""
    plain = [term_of(word) for word in spoken]
    found = np.zeros(len(spoken), np.bool_)
    for term, _sign in sentence.aspects:
        parts = [term_of(word) for word in words(term)]
        for at in range(len(plain) - len(parts) + 1):
            if parts and plain[at : at + len(parts)] == parts:
                found[at : at + len(parts)] = True
    return found
