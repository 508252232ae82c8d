"""How well aspects and their polarity are found in products that were not learned from. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from recommender.language.aspects.extraction import infer_term_polarity
from recommender.language.aspects.term_tagger import normalize_term
from recommender.language.aspects.term_tagger_training import compute_word_frequency, fit_tagger
from recommender.language.preprocessing.corpora import AnnotatedSentence, iter_annotated_sentences
from recommender.language.preprocessing.lexicon import load_opinion_words
from recommender.language.preprocessing.text import clean_text, get_common_words, split_words

FOLDS = 5
_DETERMINERS = frozenset(
    ("the", "a", "an", "this", "that", "these", "its", "my", "your", "their", "his", "her", "our")
)
_MIN_FREQUENCY, _MIN_DETERMINER_FRACTION = 0.01, 0.2


@dataclass
class PrecisionRecall:
    """Terms, each once a sentence: `right` of `found` are among the `true` ones."""

    n_correct: int = 0
    n_predicted: int = 0
    n_actual: int = 0

    def add_sentence(self, predicted: set[str], actual: set[str]) -> None:
        self.n_correct += len(predicted & actual)
        self.n_predicted += len(predicted)
        self.n_actual += len(actual)

    def compute_metrics(self) -> dict[str, float]:
        precision, recall = self.n_correct / max(self.n_predicted, 1), self.n_correct / max(self.n_actual, 1)
        return {
            "precision": precision,
            "recall": recall,
            "f1": 2 * self.n_correct / max(self.n_predicted + self.n_actual, 1),
        }


@dataclass(frozen=True, slots=True)
class AspectMetrics:
    """Terms compared by `term_of`, exactly; each product is judged by a tagger that learned from other products.

    polarity: the share of right signs among the terms rightly found; always_praise: of the sign that is commoner."""

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
    """On the annotated product reviews that lie in the folder. Raises DataError."""
    by_product: dict[str, list[AnnotatedSentence]] = {}
    for sentence in iter_annotated_sentences(folder):
        by_product.setdefault(sentence.product, []).append(sentence)
    products = sorted(by_product)
    ours, nouns, signs = PrecisionRecall(), PrecisionRecall(), _PolarityAccuracy()
    for fold in range(FOLDS):
        asked = products[fold::FOLDS]
        tagger = fit_tagger([one for name in products if name not in asked for one in by_product[name]])
        for name in asked:
            own = by_product[name]
            terms = tagger.extract_terms([clean_text(one.text) for one in own], compute_word_frequency(own))
            _count_sentences(own, terms, ours, signs)
            for one, found in zip(own, find_frequent_nouns(own), strict=True):
                nouns.add_sentence(found, extract_annotated_terms(one))
    return AspectMetrics(
        len(products),
        sum(map(len, by_product.values())),
        ours.compute_metrics(),
        nouns.compute_metrics(),
        signs.n_correct / max(signs.n_terms, 1),
        signs.n_positive / max(signs.n_terms, 1),
    )


def _count_sentences(
    sentences: Sequence[AnnotatedSentence],
    terms: Sequence[list[str]],
    term_counts: PrecisionRecall,
    polarity_counts: _PolarityAccuracy,
) -> None:
    for one, found in zip(sentences, terms, strict=True):
        term_counts.add_sentence(set(found), extract_annotated_terms(one))
        true = {normalize_term(term): sign for term, sign in one.aspects}
        for term in set(found) & set(true):
            polarity_counts.add_term(infer_term_polarity(term, clean_text(one.text)), true[term])


def extract_annotated_terms(sentence: AnnotatedSentence) -> set[str]:
    return {normalize_term(term) for term, _sign in sentence.aspects}


def find_frequent_nouns(sentences: Sequence[AnnotatedSentence]) -> list[set[str]]:
    """The bar (after Hu and Liu 2004): every mention of a word that stands in at least a hundredth of the product's
    sentences, follows a determiner at least a fifth of the time, and is neither a common word nor one of opinion."""
    spoken = [split_words(clean_text(sentence.text)) for sentence in sentences]
    everywhere: Counter[str] = Counter(word for row in spoken for word in row)
    after: Counter[str] = Counter(
        word for row in spoken for before, word in pairwise(row) if before in _DETERMINERS
    )
    share = compute_word_frequency(sentences)
    kept = {
        word
        for word, count in everywhere.items()
        if share[word] >= _MIN_FREQUENCY and after[word] >= _MIN_DETERMINER_FRACTION * count and len(word) > 2
    }
    kept -= get_common_words() | set(load_opinion_words("en"))
    return [{normalize_term(word) for word in row if word in kept} for row in spoken]
