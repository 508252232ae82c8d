"""Opinion lexicon (Hu and Liu 2004 for English) and aspect terms, with lookup in clauses and negation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from recommender.language.preprocessing.resources import (
    read_resource,
    read_word_list,
)
from recommender.language.preprocessing.text import Language, split_words

_NEGATIONS = read_word_list("negations-en.txt")
_NEGATION_WINDOW = 3  # words before an opinion word in which a negation inverts its sign
# Without 非 and 别: they mostly occur in the intensifiers 非常 and 特别 ("非常好", "特别好").
_NEGATIONS_ZH = ("不", "没", "无", "未")
_NEGATION_WINDOW_ZH = 2  # characters
_HAN_WORD = re.compile(r"[\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class OpinionWord:
    """An opinion word in a clause: index of its word (English) or first character (Chinese), and polarity +1 or -1."""

    position: int
    sign: int


@cache
def load_opinion_words(language: Language) -> Mapping[str, int]:
    """Returns the polarity, +1 or -1, of each opinion word."""
    polarities = {}
    for line in read_resource(f"opinions-{language}.txt").splitlines():
        if line.startswith("+"):
            polarities[line[1:]] = 1
        elif line.startswith("-"):
            polarities[line[1:]] = -1
    return polarities


@cache
def load_aspect_terms(language: Language) -> Mapping[str, str]:
    """Returns the aspect name of each term. Terms differ by language, aspect names do not."""
    aspects = {}
    for name, terms in _load_aspects().items():
        for term in terms[language]:
            aspects[term] = name
    return aspects


@cache
def load_aspect_names() -> tuple[str, ...]:
    """Returns the names of all aspects."""
    return tuple(_load_aspects())


def _load_aspects() -> Mapping[str, Mapping[str, list[str]]]:
    """Terms by aspect name and language."""
    aspects: Mapping[str, Mapping[str, list[str]]] = json.loads(read_resource("aspects.json"))
    return aspects


def find_opinion_words(clause: str, language: Language) -> list[OpinionWord]:
    """Returns the opinion words of a cleaned clause in order; a negation shortly before a word inverts its sign."""
    if language == "en":
        return find_opinions_in_tokens(split_words(clause))
    return list(_iter_chinese_opinions(clause))


def find_opinions_in_tokens(tokens: list[str]) -> list[OpinionWord]:
    """`find_opinion_words` for English words from `split_words`."""
    polarities = load_opinion_words("en")
    opinions = []
    for position, word in enumerate(tokens):
        sign = polarities.get(word, 0)
        if not sign:
            continue
        window_start = max(position - _NEGATION_WINDOW, 0)
        window = tokens[window_start:position]
        if any(map(_is_negation, window)):
            sign = -sign
        opinions.append(OpinionWord(position, sign))
    return opinions


def _is_negation(word: str) -> bool:
    return word in _NEGATIONS or word.endswith("n't")


def _iter_chinese_opinions(clause: str) -> Iterator[OpinionWord]:
    polarities = load_opinion_words("zh")
    max_length = _compute_max_word_length("zh")
    for position, word in iter_longest_matches(clause, polarities, max_length=max_length):
        sign = polarities[word]
        window_start = max(position - _NEGATION_WINDOW_ZH, 0)
        window = clause[window_start:position]
        if any(negation in window for negation in _NEGATIONS_ZH):
            sign = -sign
        yield OpinionWord(position, sign)


def sum_polarity(clause: str, language: Language) -> int:
    """Returns the sum of the signs of a clause's opinion words: above zero for praise, below for blame."""
    return sum(opinion.sign for opinion in find_opinion_words(clause, language))


@cache
def _compute_max_word_length(language: Language) -> int:
    return max(map(len, load_opinion_words(language)))


def iter_longest_matches(
    clause: str, vocabulary: Mapping[str, object], *, max_length: int
) -> Iterator[tuple[int, str]]:
    """Segments a text without spaces by forward maximum matching.

    Yields position and text of the words of `vocabulary` with at most `max_length` characters: from left to right, the
    longest at each position, without overlaps."""
    # One dictionary lookup per length instead of a scan of the vocabulary: linear in the length of the clause.
    for run in _HAN_WORD.finditer(clause):
        position = run.start()
        while position < run.end():
            longest = min(max_length, run.end() - position)
            for length in range(longest, 0, -1):
                word = clause[position : position + length]
                if word in vocabulary:
                    yield position, word
                    position += length
                    break
            else:
                position += 1
