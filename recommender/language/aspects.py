"""What a review speaks about, and whether it praises it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from recommender.language.lexicon import aspect_terms, longest_matches, opinions
from recommender.language.tagger import term_of
from recommender.language.texts import Language, clauses, words

_LONGEST = 3  # words of a term
Leaning = Callable[[str, Language], float]
"""The sentiment of a clause that holds no opinion word: above zero for praise."""


@dataclass(frozen=True, slots=True)
class Mention:
    """`aspect` is a name of `aspect_names()`; polarity is +1, -1, or 0 where nothing is said about it."""

    aspect: str
    polarity: int


def mentions(text: str, language: Language, leaning: Leaning | None = None) -> list[Mention]:
    """Every aspect named in a cleaned text, once a clause, with the opinion of that clause.

    A clause without an opinion word takes that of `leaning` where it is given and sure."""
    found = []
    for clause in clauses(text):
        named = dict.fromkeys(name for name, _at in named_in(clause, language))
        if named:
            polarity = _polarity(clause, language, leaning)
            found += [Mention(name, polarity) for name in named]
    return found


def verdicts(text: str, language: Language, leaning: Leaning | None = None) -> Mapping[str, int]:
    """One polarity for each aspect that the text has an opinion on: the sign of the sum over its clauses."""
    sums: dict[str, int] = {}
    for mention in mentions(text, language, leaning):
        sums[mention.aspect] = sums.get(mention.aspect, 0) + mention.polarity
    return {name: 1 if total > 0 else -1 for name, total in sums.items() if total}


def polarity_of(term: str, sentence: str) -> int:
    """+1 or -1 for a term (`tagger.term_of`) of a cleaned English sentence: the opinion of its clause, else that of the
    sentence, else praise, which is commoner."""
    parts = term.split()
    for clause in clauses(sentence):
        spoken = [term_of(word) for word in words(clause)]
        if any(spoken[at : at + len(parts)] == parts for at in range(len(spoken))):
            total = sum(opinion.sign for opinion in opinions(clause, "en"))
            if total:
                return 1 if total > 0 else -1
    total = sum(opinion.sign for clause in clauses(sentence) for opinion in opinions(clause, "en"))
    return -1 if total < 0 else 1


def named_in(clause: str, language: Language) -> Iterator[tuple[str, int]]:
    """Aspects in the order of their terms, with the place of the term as `Opinion.at` counts it."""
    known = aspect_terms(language)
    if language == "zh":
        for at, term in longest_matches(clause, known, longest=_longest_chinese()):
            yield known[term], at
        return
    spoken, at = words(clause), 0
    while at < len(spoken):
        for size in range(min(_LONGEST, len(spoken) - at), 0, -1):
            name = known.get(" ".join(spoken[at : at + size]))
            if name:
                yield name, at
                at += size
                break
        else:
            at += 1


@cache
def _longest_chinese() -> int:
    """Characters of the longest term."""
    return max(map(len, aspect_terms("zh")))


def _polarity(clause: str, language: Language, leaning: Leaning | None) -> int:
    total = sum(opinion.sign for opinion in opinions(clause, language))
    if total or leaning is None:
        return (total > 0) - (total < 0)
    sure = leaning(clause, language)
    return (sure > _SURE) - (sure < -_SURE)


_SURE = 1.0  # log-odds
