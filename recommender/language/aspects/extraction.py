"""Aspect-based sentiment analysis (SemEval-2014 task 4): which aspects a review mentions, and with what polarity."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from recommender.language.aspects.term_tagger import normalize_term
from recommender.language.preprocessing.lexicon import (
    iter_longest_matches,
    load_aspect_terms,
    sum_polarity,
)
from recommender.language.preprocessing.text import (
    Language,
    split_clauses,
    split_words,
)

_MAX_TERM_WORDS = 3


def compute_aspect_polarities(text: str, language: Language) -> Mapping[str, int]:
    """Returns +1 or -1 for each aspect of a cleaned text with an opinion.

    The polarity of a clause applies to every aspect that the clause mentions, once; the polarity of an aspect is the
    sign of the sum over its clauses. Aspects whose sum is 0 are left out."""
    sums: dict[str, int] = {}
    for clause in split_clauses(text):
        names = find_aspects(clause, language)
        if names:
            polarity = _sign(sum_polarity(clause, language))
            for name in names:
                sums[name] = sums.get(name, 0) + polarity
    return {name: _sign(total) for name, total in sums.items() if total}


def infer_term_polarity(term: str, sentence: str) -> int:
    """Returns +1 or -1 for a term (in the form of `normalize_term`) of a cleaned English sentence.

    The polarity is that of the first clause that contains the term and an opinion word, else that of the sentence, else
    +1, which is more frequent."""
    term_words = term.split()
    sentence_total = 0
    for clause in split_clauses(sentence):
        clause_total = sum_polarity(clause, "en")
        sentence_total += clause_total
        if clause_total and _contains_term(clause, term_words):
            return _sign(clause_total)
    if sentence_total < 0:
        return -1
    return 1


def _contains_term(clause: str, term_words: list[str]) -> bool:
    words = list(map(normalize_term, split_words(clause)))
    starts = range(len(words))
    return any(words[start : start + len(term_words)] == term_words for start in starts)


def find_aspects(clause: str, language: Language) -> list[str]:
    """Returns the distinct aspects whose terms occur in a cleaned clause, in order of their first term."""
    aspect_of_term = load_aspect_terms(language)
    if language == "zh":
        terms = []
        max_length = _compute_max_term_length()
        for _position, term in iter_longest_matches(clause, aspect_of_term, max_length=max_length):
            terms.append(term)
    else:
        terms = _find_english_terms(split_words(clause), aspect_of_term)
    # A dictionary instead of a set: it keeps the order.
    return list(dict.fromkeys(map(aspect_of_term.__getitem__, terms)))


def _find_english_terms(words: list[str], vocabulary: Mapping[str, str]) -> list[str]:
    """From left to right, the longest term at each position, without overlaps."""
    terms = []
    position = 0
    while position < len(words):
        longest = min(_MAX_TERM_WORDS, len(words) - position)
        for n_words in range(longest, 0, -1):
            term = " ".join(words[position : position + n_words])
            if term in vocabulary:
                terms.append(term)
                position += n_words
                break
        else:
            position += 1
    return terms


@cache
def _compute_max_term_length() -> int:
    """Characters of the longest Chinese term."""
    return max(map(len, load_aspect_terms("zh")))


def _sign(total: int) -> int:
    return (total > 0) - (total < 0)
