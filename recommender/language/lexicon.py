"""Words of opinion and names of aspects, as they ship; and what a clause says by its words alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from recommender.language.packaged import resource, word_list
from recommender.language.texts import Language, words

_NEGATIONS = word_list("negations-en.txt")
_REACH = 3  # words before an opinion word in which a negation turns it
# Without 非 and 别: "非常好" and "特别好" are said far more often than what they turn.
_NEGATIONS_ZH = ("不", "没", "无", "未")
_REACH_ZH = 2
_HAN_WORD = re.compile(r"[\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Opinion:
    """An opinion word: where it stands (index of a word in English, of a character in Chinese), and +1 or -1."""

    at: int
    sign: int


@cache
def opinion_words(language: Language) -> Mapping[str, int]:
    lines = [line for line in resource(f"opinions-{language}.txt").splitlines() if line[:1] in {"+", "-"}]
    return {line[1:]: 1 if line[0] == "+" else -1 for line in lines}


@cache
def aspect_terms(language: Language) -> Mapping[str, str]:
    """The aspect that each term names; terms of one aspect differ by language, its name does not."""
    told = json.loads(resource("aspects.json"))
    return {term: name for name, terms in told.items() for term in terms[language]}


@cache
def aspect_names() -> tuple[str, ...]:
    return tuple(json.loads(resource("aspects.json")))


def opinions(clause: str, language: Language) -> list[Opinion]:
    """The opinion words of a cleaned clause, each turned by a negation shortly before it."""
    return list(_english(words(clause)) if language == "en" else _chinese(clause))


def opinions_among(spoken: list[str]) -> list[Opinion]:
    """As `opinions`, of words that were parted already."""
    return list(_english(spoken))


def leaning(clause: str, language: Language) -> int:
    """Sum of the signs: above zero for praise, below for blame."""
    return sum(opinion.sign for opinion in opinions(clause, language))


def _english(spoken: list[str]) -> Iterator[Opinion]:
    known = opinion_words("en")
    for at, word in enumerate(spoken):
        sign = known.get(word, 0)
        if sign:
            before = spoken[max(at - _REACH, 0) : at]
            turned = any(one in _NEGATIONS or one.endswith("n't") for one in before)
            yield Opinion(at, -sign if turned else sign)


def _chinese(clause: str) -> Iterator[Opinion]:
    known = opinion_words("zh")
    for at, word in longest_matches(clause, known, longest=_longest("zh")):
        before = clause[max(at - _REACH_ZH, 0) : at]
        turned = any(negation in before for negation in _NEGATIONS_ZH)
        yield Opinion(at, -known[word] if turned else known[word])


@cache
def _longest(language: Language) -> int:
    return max(map(len, opinion_words(language)))


def longest_matches(clause: str, known: Mapping[str, object], *, longest: int) -> Iterator[tuple[int, str]]:
    """Known words, of at most `longest` characters, in a text without spaces: from the left, the longest first, none inside
    another. Looks words up and never through all of them."""
    for run in _HAN_WORD.finditer(clause):
        at = run.start()
        while at < run.end():
            for size in range(min(longest, run.end() - at), 0, -1):
                if clause[at : at + size] in known:
                    yield at, clause[at : at + size]
                    at += size
                    break
            else:
                at += 1
