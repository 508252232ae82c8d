"""Cross-validation of aspect term extraction and term polarity by product.

Imports scikit-learn, so only commands may import this module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from recommender.language.aspects.extraction import infer_term_polarity
from recommender.language.aspects.term_tagger import normalize_term
from recommender.language.aspects.term_tagger_training import (
    compute_word_frequency,
    fit_tagger,
    group_by_product,
    tokenize_sentences,
)
from recommender.language.preprocessing.lexicon import load_opinion_words
from recommender.language.preprocessing.review_datasets import (
    AnnotatedSentence,
    iter_annotated_sentences,
)
from recommender.language.preprocessing.text import clean_text, get_common_words

FOLDS = 5
_DETERMINERS = frozenset(
    (
        "the",
        "a",
        "an",
        "this",
        "that",
        "these",
        "its",
        "my",
        "your",
        "their",
        "his",
        "her",
        "our",
    )
)
_MIN_FREQUENCY, _MIN_DETERMINER_FRACTION = 0.01, 0.2


@dataclass
class PrecisionRecall:
    """Micro-averaged precision and recall of extracted terms; a term counts once per sentence."""

    n_correct: int = 0
    n_predicted: int = 0
    n_actual: int = 0

    def add_sentence(self, predicted: set[str], actual: set[str]) -> None:
        """Adds the terms of a sentence."""
        self.n_correct += len(predicted & actual)
        self.n_predicted += len(predicted)
        self.n_actual += len(actual)

    def compute_metrics(self) -> dict[str, float]:
        """Returns precision, recall and f1; 0 where a denominator is 0."""
        return {
            "precision": self.n_correct / max(self.n_predicted, 1),
            "recall": self.n_correct / max(self.n_actual, 1),
            "f1": 2 * self.n_correct / max(self.n_predicted + self.n_actual, 1),
        }


@dataclass(frozen=True, slots=True)
class AspectMetrics:
    """Metrics of terms, compared exactly after `normalize_term`, for products that the tagger was not trained on.

    aspects, frequent_nouns: precision, recall and F1 of the tagger and of the frequent-noun baseline.
    polarity: fraction of the correctly extracted terms whose polarity is correct.
    majority_polarity: the same for the constant prediction +1."""

    products: int
    sentences: int
    aspects: Mapping[str, float]
    frequent_nouns: Mapping[str, float]
    polarity: float
    majority_polarity: float


@dataclass
class _PolarityAccuracy:
    n_correct: int = 0
    n_positive: int = 0
    n_terms: int = 0

    def add_term(self, predicted: int, actual: int) -> None:
        self.n_correct += predicted == actual
        self.n_positive += actual > 0
        self.n_terms += 1


def evaluate_aspects(folder: Path) -> AspectMetrics:
    """Evaluates by cross-validation over products on the annotated product reviews in `folder`. Raises DataError."""
    by_product = group_by_product(iter_annotated_sentences(folder))
    products = sorted(by_product)
    tagger_counts = PrecisionRecall()
    noun_counts = PrecisionRecall()
    polarity_counts = _PolarityAccuracy()
    n_sentences = 0
    for fold in range(FOLDS):
        test_products = products[fold::FOLDS]
        train_sentences = list[AnnotatedSentence]()
        for product in products:
            if product not in test_products:
                train_sentences += by_product[product]
        tagger = fit_tagger(train_sentences)
        for product in test_products:
            sentences = by_product[product]
            n_sentences += len(sentences)
            cleaned = [clean_text(sentence.text) for sentence in sentences]
            terms = tagger.extract_terms(cleaned, compute_word_frequency(sentences))
            _count_sentences(sentences, terms, tagger_counts, polarity_counts)
            for sentence, nouns in zip(sentences, find_frequent_nouns(sentences), strict=True):
                noun_counts.add_sentence(nouns, extract_annotated_terms(sentence))
    return AspectMetrics(
        products=len(products),
        sentences=n_sentences,
        aspects=tagger_counts.compute_metrics(),
        frequent_nouns=noun_counts.compute_metrics(),
        polarity=polarity_counts.n_correct / max(polarity_counts.n_terms, 1),
        majority_polarity=polarity_counts.n_positive / max(polarity_counts.n_terms, 1),
    )


def _count_sentences(
    sentences: Sequence[AnnotatedSentence],
    terms: Sequence[list[str]],
    term_counts: PrecisionRecall,
    polarity_counts: _PolarityAccuracy,
) -> None:
    for sentence, predicted_terms in zip(sentences, terms, strict=True):
        term_counts.add_sentence(set(predicted_terms), extract_annotated_terms(sentence))
        actual_signs = {}
        for term, sign in sentence.aspects:
            actual_signs[normalize_term(term)] = sign
        text = clean_text(sentence.text)
        for term in set(predicted_terms) & set(actual_signs):
            predicted_sign = infer_term_polarity(term, text)
            polarity_counts.add_term(predicted_sign, actual_signs[term])


def extract_annotated_terms(sentence: AnnotatedSentence) -> set[str]:
    """Returns the normalised annotated terms of a sentence."""
    return {normalize_term(term) for term, _sign in sentence.aspects}


def find_frequent_nouns(
    sentences: Sequence[AnnotatedSentence],
) -> list[set[str]]:
    """Returns the terms of each sentence by the frequent-noun baseline (after Hu and Liu 2004).

    A word is a term if it occurs in at least 1 % of the product's sentences, follows a determiner in at least 20 % of
    its occurrences, and is neither a common word nor an opinion word."""
    tokenized = tokenize_sentences(sentences)
    n_occurrences: Counter[str] = Counter()
    n_after_determiner: Counter[str] = Counter()
    for words in tokenized:
        n_occurrences.update(words)
        for previous, word in pairwise(words):
            n_after_determiner[word] += previous in _DETERMINERS
    sentence_frequency = compute_word_frequency(sentences)
    nouns = set[str]()
    for word, count in n_occurrences.items():
        is_frequent = sentence_frequency[word] >= _MIN_FREQUENCY
        follows_determiners = n_after_determiner[word] >= _MIN_DETERMINER_FRACTION * count
        if is_frequent and follows_determiners and len(word) > 2:
            nouns.add(word)
    nouns -= get_common_words() | set(load_opinion_words("en"))
    terms = []
    for words in tokenized:
        sentence_nouns = nouns.intersection(words)
        terms.append(set(map(normalize_term, sentence_nouns)))
    return terms
