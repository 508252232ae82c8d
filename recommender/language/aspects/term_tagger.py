"""Finds the words of an English sentence that name what it has an opinion on, known names or not.

Each word is judged by what it is and by what stands around it; words in a row that are judged to name something are one
term."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from scipy import sparse

from recommender.language.preprocessing.lexicon import find_opinions_in_tokens, load_aspect_terms
from recommender.language.preprocessing.text import split_words
from recommender.types import BoolArray, Float32Array

BITS = 18
_MAX_TERM_WORDS = 4
_OPINION_WINDOW = 5


@dataclass(frozen=True, slots=True)
class AspectTermTagger:
    """Log-odds of each word: x . weight + bias. `threshold` is in log-odds."""

    weight: Float32Array
    bias: float
    threshold: float

    def extract_terms(self, sentences: Sequence[str], word_frequency: Mapping[str, float]) -> list[list[str]]:
        """The terms of each cleaned sentence, in order, by `term_of`; `common` as `document_shares` gives it."""
        spoken = [split_words(sentence) for sentence in sentences]
        odds = build_word_features(spoken, word_frequency) @ self.weight + np.float32(self.bias)
        found, at = [], 0
        for row in spoken:
            found.append(_collect_terms(row, odds[at : at + len(row)] > self.threshold))
            at += len(row)
        return found


def normalize_term(term: str) -> str:
    """The form by which terms are compared: casefolded words, the last without a plural's s."""
    parts = split_words(term)
    if (
        parts
        and len(parts[-1]) > 3
        and parts[-1].endswith("s")
        and not parts[-1].endswith(("ss", "us", "is"))
    ):
        parts[-1] = parts[-1][:-1]
    return " ".join(parts)


def compute_sentence_frequency(sentences: Iterable[str]) -> dict[str, float]:
    """In how many of the sentences each word stands, as a share."""
    counts: Counter[str] = Counter()
    total = 0
    for sentence in sentences:
        counts.update(set(split_words(sentence)))
        total += 1
    return {word: count / max(total, 1) for word, count in counts.items()}


def build_word_features(
    tokenized: Sequence[Sequence[str]], word_frequency: Mapping[str, float]
) -> sparse.csr_matrix:
    """float32 csr (words of all sentences, 2**BITS), hashed with crc32."""
    mask, indptr, columns = (1 << BITS) - 1, [0], list[int]()
    for sentence in tokenized:
        for marks in _generate_token_features(list(sentence), word_frequency):
            columns.extend({crc32(mark.encode()) & mask for mark in marks})
            indptr.append(len(columns))
    values = np.ones(len(columns), np.float32)
    return sparse.csr_matrix(
        (values, np.array(columns, np.int32), np.array(indptr, np.int64)), shape=(len(indptr) - 1, 1 << BITS)
    )


def _generate_token_features(sentence: list[str], word_frequency: Mapping[str, float]) -> Iterable[list[str]]:
    tones = {opinion.position: opinion.sign for opinion in find_opinions_in_tokens(sentence)}
    known = load_aspect_terms("en")
    padded = ["<", "<", *sentence, ">", ">"]
    much = f"opinions {min(len(tones), 3)}"
    for at, word in enumerate(sentence):
        before2, before, _, after, after2 = padded[at : at + 5]
        near = [other - at for other in tones if other != at and abs(other - at) <= _OPINION_WINDOW]
        frequency = word_frequency.get(word, 0.0)
        yield [
            f"w {word}",
            f"s {word[-3:]}",
            f"s2 {word[-2:]}",
            f"b {before}",
            f"bb {before2} {before}",
            f"a {after}",
            f"aa {after} {after2}",
            f"bw {before} {word}",
            f"wa {word} {after}",
            f"op {at in tones}",
            f"bo {at - 1 in tones}",
            f"ao {at + 1 in tones}",
            f"near {bool(near)} {min(map(abs, near), default=9)}",
            f"side {min(near, key=abs, default=0) > 0}",
            much,
            f"f {min(int(frequency * 200), 8)} {much}",
            f"known {word in known} {much}",
            f"pair {f'{before} {word}' in known or f'{word} {after}' in known}",
            f"length {min(len(sentence) // 6, 4)} {much}",
        ]


def _collect_terms(sentence: Sequence[str], is_term: BoolArray) -> list[str]:
    found, run = list[str](), list[str]()
    for word, inside in zip([*sentence, ""], [*is_term.tolist(), False], strict=True):
        if inside and len(run) < _MAX_TERM_WORDS:
            run.append(word)
        elif run:
            found.append(normalize_term(" ".join(run)))
            run = [word] if inside else []
    return found
