"""Aspect term extraction for English, with terms outside the aspect list: a per-word classifier.

Each word is classified from itself and its context; adjacent positive words form one term."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recommender.language.preprocessing.lexicon import (
    find_opinions_in_tokens,
    load_aspect_terms,
)
from recommender.language.preprocessing.ngram_hashing import hash_feature_rows
from recommender.language.preprocessing.text import split_words
from recommender.types import BoolArray, Float32Array

BITS = 18
_MAX_TERM_WORDS = 4
_OPINION_WINDOW = 5  # words


@dataclass(frozen=True, slots=True)
class AspectTermTagger:
    """Linear classifier over `build_word_features`: weight float32 (2**BITS); `threshold` is in log-odds."""

    weight: Float32Array
    bias: float
    threshold: float

    def extract_terms(self, sentences: Sequence[str], word_frequency: Mapping[str, float]) -> list[list[str]]:
        """Returns the terms of each cleaned sentence in order, in the form of `normalize_term`.

        `word_frequency` is the `compute_sentence_frequency` of the product's sentences."""
        tokenized = list(map(split_words, sentences))
        features = build_word_features(tokenized, word_frequency)
        log_odds = features @ self.weight + np.float32(self.bias)
        # Words of all sentences follow one another in log_odds: sentence i has the rows offsets[i] to offsets[i + 1].
        offsets = np.cumsum([0, *map(len, tokenized)])
        is_term = log_odds > self.threshold
        terms = []
        for index, words in enumerate(tokenized):
            start, stop = offsets[index], offsets[index + 1]
            terms.append(_collect_terms(words, is_term[start:stop]))
        return terms


def normalize_term(term: str) -> str:
    """Returns the form in which terms are compared: casefolded words, the last one without a plural s."""
    words = split_words(term)
    if words and _is_plural(words[-1]):
        words[-1] = words[-1][:-1]
    return " ".join(words)


def _is_plural(word: str) -> bool:
    return len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))


def compute_sentence_frequency(sentences: Iterable[str]) -> dict[str, float]:
    """Returns for each word the fraction of sentences that contain it."""
    counts: Counter[str] = Counter()
    n_sentences = 0
    for sentence in sentences:
        counts.update(set(split_words(sentence)))
        n_sentences += 1
    return {word: count / n_sentences for word, count in counts.items()}


def build_word_features(
    tokenized: Sequence[Sequence[str]], word_frequency: Mapping[str, float]
) -> sparse.csr_matrix:
    """Returns hashed binary features float32 csr (words of all sentences, 2**BITS)."""
    return hash_feature_rows(_iter_word_features(tokenized, word_frequency), bits=BITS)


def _iter_word_features(
    tokenized: Sequence[Sequence[str]], word_frequency: Mapping[str, float]
) -> Iterator[list[str]]:
    for words in tokenized:
        # Two markers on each side: the window of a word reaches two words to the left and to the right.
        padded = ["<", "<", *words, ">", ">"]
        sentence = _SentenceFeatures(list(words))
        for position, word in enumerate(words):
            window = padded[position : position + 5]
            frequency = word_frequency.get(word, 0.0)
            features = _build_context_features(window)
            features += sentence.build_features(position, window=window, frequency=frequency)
            yield features


# The strings below are hashed: another prefix moves a feature to another column and changes collisions.


def _build_context_features(window: Sequence[str]) -> list[str]:
    """Features of the word, its suffixes, its neighbours and its bigrams; `window` is the word and two on each side."""
    second_before, before, word, after, second_after = window
    return [
        f"w {word}",
        f"s {word[-3:]}",
        f"s2 {word[-2:]}",
        f"b {before}",
        f"bb {second_before} {before}",
        f"a {after}",
        f"aa {after} {second_after}",
        f"bw {before} {word}",
        f"wa {word} {after}",
    ]


class _SentenceFeatures:
    """Features of a word that depend on opinion words and aspect terms of its sentence."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._opinion_positions = set[int]()
        for opinion in find_opinions_in_tokens(words):
            self._opinion_positions.add(opinion.position)
        self._aspect_terms = load_aspect_terms("en")
        n_opinions = min(len(self._opinion_positions), 3)
        self._opinion_count = f"opinions {n_opinions}"

    def build_features(self, position: int, *, window: Sequence[str], frequency: float) -> list[str]:
        """`frequency` is the fraction of the product's sentences that contain the word."""
        _, before, word, after, _ = window
        follows_term_word = f"{before} {word}" in self._aspect_terms
        precedes_term_word = f"{word} {after}" in self._aspect_terms
        nearest = self._find_nearest_opinion(position)
        has_opinion = nearest != 0
        distance = abs(nearest) or 9
        frequency_bucket = min(int(frequency * 200), 8)
        length_bucket = min(len(self._words) // 6, 4)
        return [
            f"op {position in self._opinion_positions}",
            f"bo {position - 1 in self._opinion_positions}",
            f"ao {position + 1 in self._opinion_positions}",
            f"near {has_opinion} {distance}",
            f"side {nearest > 0}",
            self._opinion_count,
            f"f {frequency_bucket} {self._opinion_count}",
            f"known {word in self._aspect_terms} {self._opinion_count}",
            f"pair {follows_term_word or precedes_term_word}",
            f"length {length_bucket} {self._opinion_count}",
        ]

    def _find_nearest_opinion(self, position: int) -> int:
        """Signed distance to the nearest other opinion word, 0 if there is none within the window."""
        distances = []
        for other in sorted(self._opinion_positions):
            distance = other - position
            if 0 < abs(distance) <= _OPINION_WINDOW:
                distances.append(distance)
        return min(distances, key=abs, default=0)


def _collect_terms(words: Sequence[str], is_term: BoolArray) -> list[str]:
    """Joins adjacent term words to terms of at most _MAX_TERM_WORDS words."""
    terms = list[str]()
    term_words = list[str]()
    # The extra word outside any term closes a term at the end of the sentence.
    padded_words = [*words, ""]
    padded_flags = [*is_term.tolist(), False]
    for word, inside in zip(padded_words, padded_flags, strict=True):
        if inside and len(term_words) < _MAX_TERM_WORDS:
            term_words.append(word)
        elif term_words:
            terms.append(normalize_term(" ".join(term_words)))
            term_words.clear()
            if inside:
                term_words.append(word)
    return terms
