"""Training of the aspect term tagger. Imports scikit-learn, so only commands may import this module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from recommender.language.aspects.term_tagger import (
    AspectTermTagger,
    build_word_features,
    compute_sentence_frequency,
    normalize_term,
)
from recommender.language.preprocessing.review_datasets import AnnotatedSentence
from recommender.language.preprocessing.text import clean_text, split_words
from recommender.types import BoolArray

INVERSE_PENALTY = 0.3
# Below even odds: few words belong to a term, and F1 counts a missed term as much as a wrong one.
THRESHOLD = -1.2


def fit_tagger(sentences: Sequence[AnnotatedSentence]) -> AspectTermTagger:
    """Fits a logistic regression over the words of annotated sentences of at least one product."""
    feature_blocks, label_blocks = [], []
    # By product: the frequency of a word is relative to the sentences of its product.
    for product_sentences in group_by_product(sentences).values():
        tokenized = tokenize_sentences(product_sentences)
        word_frequency = compute_word_frequency(product_sentences)
        feature_blocks.append(build_word_features(tokenized, word_frequency))
        for tokens, sentence in zip(tokenized, product_sentences, strict=True):
            label_blocks.append(mark_term_words(tokens, sentence))
    model = LogisticRegression(C=INVERSE_PENALTY, solver="liblinear", max_iter=50)
    model.fit(
        sparse.vstack(feature_blocks, format="csr"),
        np.concatenate(label_blocks),
    )
    return AspectTermTagger(
        weight=model.coef_[0].astype(np.float32),
        bias=float(model.intercept_[0]),
        threshold=THRESHOLD,
    )


def group_by_product(
    sentences: Iterable[AnnotatedSentence],
) -> dict[str, list[AnnotatedSentence]]:
    """Returns the sentences of each product in order."""
    by_product: dict[str, list[AnnotatedSentence]] = {}
    for sentence in sentences:
        by_product.setdefault(sentence.product, []).append(sentence)
    return by_product


def tokenize_sentences(
    sentences: Iterable[AnnotatedSentence],
) -> list[list[str]]:
    """Returns the words of each sentence."""
    return [split_words(clean_text(sentence.text)) for sentence in sentences]


def compute_word_frequency(
    sentences: Sequence[AnnotatedSentence],
) -> Mapping[str, float]:
    """Returns `compute_sentence_frequency` of annotated sentences."""
    return compute_sentence_frequency(clean_text(sentence.text) for sentence in sentences)


def mark_term_words(tokens: Sequence[str], sentence: AnnotatedSentence) -> BoolArray:
    """Returns bool (len(tokens)): which words of a sentence belong to one of its annotated terms."""
    words = list(map(normalize_term, tokens))
    is_term = np.zeros(len(tokens), np.bool_)
    for term, _sign in sentence.aspects:
        term_words = list(map(normalize_term, split_words(term)))
        if not term_words:
            continue
        last_start = len(words) - len(term_words)
        for start in range(last_start + 1):
            stop = start + len(term_words)
            if words[start:stop] == term_words:
                is_term[start:stop] = True
    return is_term
