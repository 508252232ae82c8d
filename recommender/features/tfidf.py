"""Texts as sparse TF-IDF vectors, without pickles: a vocabulary and weights that load anywhere."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recommender.dataset.item_text import join_text_fields
from recommender.types import Float32Array

__all__ = ["TfidfVectorizer", "join_text_fields", "normalize_rows", "tokenize_text"]

WORD = re.compile(r"[^\W_]+")
# Han, kana and Hangul are written without spaces between words: pairs of characters stand for words.
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")


def tokenize_text(text: str) -> list[str]:
    """Words, and pairs of neighbouring characters where a script has no spaces."""
    terms: list[str] = []
    for word in WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        pieces = UNSPACED.findall(word)
        terms.extend(pair for piece in pieces for pair in _split_bigrams(piece))
        terms.extend(rest for rest in UNSPACED.split(word) if rest)
    return terms


def _split_bigrams(piece: str) -> list[str]:
    return [piece] if len(piece) == 1 else [piece[i : i + 2] for i in range(len(piece) - 1)]


@dataclass(frozen=True)
class TfidfVectorizer:
    """TF-IDF with logarithmic counts and rows of length one; vocabulary term i has weight idf[i]."""

    vocabulary: Mapping[str, int]
    idf: Float32Array

    @classmethod
    def fit(cls, texts: Sequence[str], *, min_items: int = 1, max_terms: int = 200_000) -> TfidfVectorizer:
        """Terms found in at least `min_items` texts, the most frequent `max_terms` of them."""
        found: Counter[str] = Counter()
        for text in texts:
            found.update(set(tokenize_text(text)))
        kept = sorted((t for t, n in found.items() if n >= min_items), key=lambda t: (-found[t], t))[
            :max_terms
        ]
        counts = np.array([found[term] for term in kept], dtype=np.float64)
        idf = (np.log((1 + len(texts)) / (1 + counts)) + 1).astype(np.float32)
        return cls({term: number for number, term in enumerate(kept)}, idf)

    def transform(self, texts: Iterable[str]) -> sparse.csr_matrix:
        """float32 (texts, terms); a text without a known term is a row of zeros."""
        indptr = [0]
        columns: list[int] = []
        values: list[int] = []
        for text in texts:
            counts = Counter(self.vocabulary[t] for t in tokenize_text(text) if t in self.vocabulary)
            columns.extend(counts)
            values.extend(counts.values())
            indptr.append(len(columns))
        column = np.array(columns, dtype=np.int32)
        value = (1 + np.log(np.array(values, dtype=np.float32))) * self.idf[column]
        matrix = sparse.csr_matrix(
            (value.astype(np.float32), column, np.array(indptr, dtype=np.int64)),
            shape=(len(indptr) - 1, len(self.idf)),
        )
        return normalize_rows(matrix)


def normalize_rows(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows scaled to length one; rows of zeros stay."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = np.divide(1.0, length, out=np.zeros_like(length, dtype=np.float64), where=length > 0)
    return sparse.csr_matrix(sparse.diags(scale.astype(np.float32)) @ matrix)
