"""Words of opinion and names of aspects, as they ship; and what a clause says by its words alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from recommender.language.preprocessing.resources import read_resource, read_word_list
from recommender.language.preprocessing.text import Language, split_words

_NEGATIONS = read_word_list("negations-en.txt")
_NEGATION_WINDOW = 3  # words before an opinion word in which a negation turns it
# Without 非 and 别: "非常好" and "特别好" are said far more often than what they turn.
_NEGATIONS_ZH = ("不", "没", "无", "未")
_NEGATION_WINDOW_ZH = 2
_HAN_WORD = re.compile(r"[\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class OpinionWord:
    """An opinion word: where it stands (index of a word in English, of a character in Chinese), and +1 or -1."""

    position: int
    sign: int


@cache
def load_opinion_words(language: Language) -> Mapping[str, int]:
    lines = [
        line for line in read_resource(f"opinions-{language}.txt").splitlines() if line[:1] in {"+", "-"}
    ]
    return {line[1:]: 1 if line[0] == "+" else -1 for line in lines}


@cache
def load_aspect_terms(language: Language) -> Mapping[str, str]:
    """The aspect that each term names; terms of one aspect differ by language, its name does not."""
    told = json.loads(read_resource("aspects.json"))
    return {term: name for name, terms in told.items() for term in terms[language]}


@cache
def load_aspect_names() -> tuple[str, ...]:
    return tuple(json.loads(read_resource("aspects.json")))


def find_opinion_words(clause: str, language: Language) -> list[OpinionWord]:
    """The opinion words of a cleaned clause, each turned by a negation shortly before it."""
    return list(
        _iter_english_opinions(split_words(clause)) if language == "en" else _iter_chinese_opinions(clause)
    )


def find_opinions_in_tokens(tokens: list[str]) -> list[OpinionWord]:
    """As `opinions`, of words that were parted already."""
    return list(_iter_english_opinions(tokens))


def sum_polarity(clause: str, language: Language) -> int:
    """Sum of the signs: above zero for praise, below for blame."""
    return sum(opinion.sign for opinion in find_opinion_words(clause, language))


def _iter_english_opinions(tokens: list[str]) -> Iterator[OpinionWord]:
    known = load_opinion_words("en")
    for at, word in enumerate(tokens):
        sign = known.get(word, 0)
        if sign:
            before = tokens[max(at - _NEGATION_WINDOW, 0) : at]
            turned = any(one in _NEGATIONS or one.endswith("n't") for one in before)
            yield OpinionWord(at, -sign if turned else sign)


def _iter_chinese_opinions(clause: str) -> Iterator[OpinionWord]:
    known = load_opinion_words("zh")
    for at, word in iter_longest_matches(clause, known, max_length=_compute_max_word_length("zh")):
        before = clause[max(at - _NEGATION_WINDOW_ZH, 0) : at]
        turned = any(negation in before for negation in _NEGATIONS_ZH)
        yield OpinionWord(at, -known[word] if turned else known[word])


@cache
def _compute_max_word_length(language: Language) -> int:
    return max(map(len, load_opinion_words(language)))


def iter_longest_matches(
    clause: str, vocabulary: Mapping[str, object], *, max_length: int
) -> Iterator[tuple[int, str]]:
    """Known words, of at most `longest` characters, in a text without spaces: from the left, the longest first, none inside
    another. Looks words up and never through all of them."""
    for run in _HAN_WORD.finditer(clause):
        at = run.start()
        while at < run.end():
            for size in range(min(max_length, run.end() - at), 0, -1):
                if clause[at : at + size] in vocabulary:
                    yield at, clause[at : at + size]
                    at += size
                    break
            else:
                at += 1
