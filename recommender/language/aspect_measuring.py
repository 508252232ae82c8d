"""How well aspects and their polarity are found in products that were not learned from. Loads scikit-learn: commands only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from recommender.language.aspects import polarity_of
from recommender.language.corpora import Annotated, annotated
from recommender.language.lexicon import opinion_words
from recommender.language.tagger import term_of
from recommender.language.tagger_training import fit, shares
from recommender.language.texts import clean, common_words, words

FOLDS = 5
_DETERMINERS = frozenset(
    ("the", "a", "an", "this", "that", "these", "its", "my", "your", "their", "his", "her", "our")
)
_LEAST_SHARE, _LEAST_AFTER = 0.01, 0.2


@dataclass
class Counted:
    """Terms, each once a sentence: `right` of `found` are among the `true` ones."""

    right: int = 0
    found: int = 0
    true: int = 0

    def add(self, found: set[str], true: set[str]) -> None:
        self.right += len(found & true)
        self.found += len(found)
        self.true += len(true)

    def figures(self) -> dict[str, float]:
        precision, recall = self.right / max(self.found, 1), self.right / max(self.true, 1)
        return {
            "precision": precision,
            "recall": recall,
            "f1": 2 * self.right / max(self.found + self.true, 1),
        }


@dataclass(frozen=True, slots=True)
class AspectFinding:
    """Terms compared by `term_of`, exactly; each product is judged by a tagger that learned from other products.

    polarity: the share of right signs among the terms rightly found; always_praise: of the sign that is commoner."""

    products: int
    sentences: int
    aspects: Mapping[str, float]
    frequent_nouns: Mapping[str, float]
    polarity: float
    always_praise: float


@dataclass
class _Signs:
    right: int = 0
    praise: int = 0
    all: int = 0

    def add(self, given: int, true: int) -> None:
        self.right += given == true
        self.praise += true > 0
        self.all += 1


def measure_aspects(folder: Path) -> AspectFinding:
    """On the annotated product reviews that lie in the folder. Raises DataError."""
    by_product: dict[str, list[Annotated]] = {}
    for sentence in annotated(folder):
        by_product.setdefault(sentence.product, []).append(sentence)
    products = sorted(by_product)
    ours, nouns, signs = Counted(), Counted(), _Signs()
    for fold in range(FOLDS):
        asked = products[fold::FOLDS]
        tagger = fit([one for name in products if name not in asked for one in by_product[name]])
        for name in asked:
            own = by_product[name]
            terms = tagger.terms([clean(one.text) for one in own], shares(own))
            _judge(own, terms, ours, signs)
            for one, found in zip(own, frequent_nouns(own), strict=True):
                nouns.add(found, true_terms(one))
    return AspectFinding(
        len(products),
        sum(map(len, by_product.values())),
        ours.figures(),
        nouns.figures(),
        signs.right / max(signs.all, 1),
        signs.praise / max(signs.all, 1),
    )


def _judge(own: Sequence[Annotated], terms: Sequence[list[str]], ours: Counted, signs: _Signs) -> None:
    for one, found in zip(own, terms, strict=True):
        ours.add(set(found), true_terms(one))
        true = {term_of(term): sign for term, sign in one.aspects}
        for term in set(found) & set(true):
            signs.add(polarity_of(term, clean(one.text)), true[term])


def true_terms(sentence: Annotated) -> set[str]:
    return {term_of(term) for term, _sign in sentence.aspects}


def frequent_nouns(sentences: Sequence[Annotated]) -> list[set[str]]:
    """The bar (after Hu and Liu 2004): every mention of a word that stands in at least a hundredth of the product's
    sentences, follows a determiner at least a fifth of the time, and is neither a common word nor one of opinion."""
    spoken = [words(clean(sentence.text)) for sentence in sentences]
    everywhere: Counter[str] = Counter(word for row in spoken for word in row)
    after: Counter[str] = Counter(
        word for row in spoken for before, word in pairwise(row) if before in _DETERMINERS
    )
    share = shares(sentences)
    kept = {
        word
        for word, count in everywhere.items()
        if share[word] >= _LEAST_SHARE and after[word] >= _LEAST_AFTER * count and len(word) > 2
    }
    kept -= common_words() | set(opinion_words("en"))
    return [{term_of(word) for word in row if word in kept} for row in spoken]
