"""Learns where a sentence names what it has an opinion on. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from recommender.language.aspects.term_tagger import (
    AspectTermTagger,
    build_word_features,
    compute_sentence_frequency,
    normalize_term,
)
from recommender.language.preprocessing.corpora import AnnotatedSentence
from recommender.language.preprocessing.text import clean_text, split_words
from recommender.types import BoolArray

INVERSE_PENALTY, THRESHOLD = 0.3, -1.2


def fit_tagger(sentences: Sequence[AnnotatedSentence]) -> AspectTermTagger:
    """From annotated sentences of at least one product."""
    by_product: dict[str, list[AnnotatedSentence]] = {}
    for sentence in sentences:
        by_product.setdefault(sentence.product, []).append(sentence)
    columns, named = [], []
    for own in by_product.values():
        spoken = [split_words(clean_text(sentence.text)) for sentence in own]
        columns.append(build_word_features(spoken, compute_word_frequency(own)))
        named += [mark_term_words(row, sentence) for row, sentence in zip(spoken, own, strict=True)]
    learned = LogisticRegression(C=INVERSE_PENALTY, solver="liblinear", max_iter=50)
    learned.fit(sparse.vstack(columns, format="csr"), np.concatenate(named))
    return AspectTermTagger(learned.coef_[0].astype(np.float32), float(learned.intercept_[0]), THRESHOLD)


def compute_word_frequency(sentences: Sequence[AnnotatedSentence]) -> Mapping[str, float]:
    return compute_sentence_frequency(clean_text(sentence.text) for sentence in sentences)


def mark_term_words(tokens: Sequence[str], sentence: AnnotatedSentence) -> BoolArray:
    """Which words of a sentence belong to a term it is annotated with."""
    plain = [normalize_term(word) for word in tokens]
    found = np.zeros(len(tokens), np.bool_)
    for term, _sign in sentence.aspects:
        parts = [normalize_term(word) for word in split_words(term)]
        for at in range(len(plain) - len(parts) + 1):
            if parts and plain[at : at + len(parts)] == parts:
                found[at : at + len(parts)] = True
    return found
