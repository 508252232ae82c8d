"""What a review speaks about, and whether it praises it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from recommender.language.aspects.term_tagger import normalize_term
from recommender.language.preprocessing.lexicon import (
    find_opinion_words,
    iter_longest_matches,
    load_aspect_terms,
)
from recommender.language.preprocessing.text import Language, split_clauses, split_words

_MAX_TERM_WORDS = 3  # words of a term
PolarityScorer = Callable[[str, Language], float]
"""The sentiment of a clause that holds no opinion word: above zero for praise."""


@dataclass(frozen=True, slots=True)
class AspectMention:
    """`aspect` is a name of `aspect_names()`; polarity is +1, -1, or 0 where nothing is said about it."""

    aspect: str
    polarity: int


def extract_mentions(
    text: str, language: Language, fallback_polarity: PolarityScorer | None = None
) -> list[AspectMention]:
    """Every aspect named in a cleaned text, once a clause, with the opinion of that clause.

    A clause without an opinion word takes that of `leaning` where it is given and sure."""
    found = []
    for clause in split_clauses(text):
        named = dict.fromkeys(name for name, _at in find_aspects(clause, language))
        if named:
            polarity = _infer_clause_polarity(clause, language, fallback_polarity)
            found += [AspectMention(name, polarity) for name in named]
    return found


def compute_aspect_polarities(
    text: str, language: Language, fallback_polarity: PolarityScorer | None = None
) -> Mapping[str, int]:
    """One polarity for each aspect that the text has an opinion on: the sign of the sum over its clauses."""
    sums: dict[str, int] = {}
    for mention in extract_mentions(text, language, fallback_polarity):
        sums[mention.aspect] = sums.get(mention.aspect, 0) + mention.polarity
    return {name: 1 if total > 0 else -1 for name, total in sums.items() if total}


def infer_term_polarity(term: str, sentence: str) -> int:
    """+1 or -1 for a term (`tagger.term_of`) of a cleaned English sentence: the opinion of its clause, else that of the
    sentence, else praise, which is commoner."""
    parts = term.split()
    for clause in split_clauses(sentence):
        spoken = [normalize_term(word) for word in split_words(clause)]
        if any(spoken[at : at + len(parts)] == parts for at in range(len(spoken))):
            total = sum(opinion.sign for opinion in find_opinion_words(clause, "en"))
            if total:
                return 1 if total > 0 else -1
    total = sum(
        opinion.sign for clause in split_clauses(sentence) for opinion in find_opinion_words(clause, "en")
    )
    return -1 if total < 0 else 1


def find_aspects(clause: str, language: Language) -> Iterator[tuple[str, int]]:
    """Aspects in the order of their terms, with the place of the term as `Opinion.at` counts it."""
    known = load_aspect_terms(language)
    if language == "zh":
        for at, term in iter_longest_matches(clause, known, max_length=_compute_max_term_length()):
            yield known[term], at
        return
    spoken, at = split_words(clause), 0
    while at < len(spoken):
        for size in range(min(_MAX_TERM_WORDS, len(spoken) - at), 0, -1):
            name = known.get(" ".join(spoken[at : at + size]))
            if name:
                yield name, at
                at += size
                break
        else:
            at += 1


@cache
def _compute_max_term_length() -> int:
    """Characters of the longest term."""
    return max(map(len, load_aspect_terms("zh")))


def _infer_clause_polarity(clause: str, language: Language, fallback_polarity: PolarityScorer | None) -> int:
    total = sum(opinion.sign for opinion in find_opinion_words(clause, language))
    if total or fallback_polarity is None:
        return (total > 0) - (total < 0)
    sure = fallback_polarity(clause, language)
    return (sure > _MIN_LOG_ODDS) - (sure < -_MIN_LOG_ODDS)


_MIN_LOG_ODDS = 1.0  # log-odds
