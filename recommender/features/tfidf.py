"""TF-IDF vectors of texts. A vectorizer is a vocabulary and weights, which can be stored without pickle."""

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
# Han, kana and Hangul are written without spaces between words: bigrams of characters replace words.
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")


def tokenize_text(text: str) -> list[str]:
    """Casefolded words, and character bigrams for scripts without spaces."""
    terms: list[str] = []
    for word in WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        for unspaced in UNSPACED.findall(word):
            terms += _split_bigrams(unspaced)
        # What remains of a mixed word: "iphone手机壳" also has the term "iphone".
        for spaced in UNSPACED.split(word):
            if spaced:
                terms.append(spaced)
    return terms


def _split_bigrams(characters: str) -> list[str]:
    if len(characters) == 1:
        return [characters]
    return [characters[i : i + 2] for i in range(len(characters) - 1)]


@dataclass(frozen=True)
class TfidfVectorizer:
    """TF-IDF with logarithmic term counts and rows of length one.

    vocabulary: column by term. idf: float32 (terms,), weight of each column.
    """

    vocabulary: Mapping[str, int]
    idf: Float32Array

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        *,
        min_items: int = 1,
        max_terms: int = 200_000,
    ) -> TfidfVectorizer:
        """Learns the `max_terms` most frequent terms that occur in at least `min_items` texts."""
        document_counts: Counter[str] = Counter()
        for text in texts:
            document_counts.update(set(tokenize_text(text)))
        frequent = [term for term, count in document_counts.items() if count >= min_items]
        # Ties are ordered by the term, so that the vocabulary does not depend on the order of the texts.
        frequent.sort(key=lambda term: (-document_counts[term], term))
        terms = frequent[:max_terms]
        counts = np.array([document_counts[term] for term in terms], dtype=np.float64)
        # Smoothed as if one more text had every term: no term has the weight zero.
        inverse_frequency = (1 + len(texts)) / (1 + counts)
        idf = (np.log(inverse_frequency) + 1).astype(np.float32)
        vocabulary = {term: column for column, term in enumerate(terms)}
        return cls(vocabulary, idf)

    def transform(self, texts: Iterable[str]) -> sparse.csr_matrix:
        """float32 CSR (texts, terms); a text without a known term is a row of zeros."""
        indptr = [0]
        columns: list[int] = []
        term_counts: list[int] = []
        for text in texts:
            row: Counter[int] = Counter()
            for term in tokenize_text(text):
                if term in self.vocabulary:
                    row[self.vocabulary[term]] += 1
            columns.extend(row)
            term_counts.extend(row.values())
            indptr.append(len(columns))
        column = np.array(columns, dtype=np.int32)
        term_frequency = 1 + np.log(np.array(term_counts, dtype=np.float32))
        values = (term_frequency * self.idf[column]).astype(np.float32)
        shape = (len(indptr) - 1, len(self.idf))
        matrix = sparse.csr_matrix((values, column, np.array(indptr, dtype=np.int64)), shape=shape)
        return normalize_rows(matrix)


def normalize_rows(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Scales the rows of a sparse matrix to length one; rows of zeros stay zero."""
    squared_length = np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel()
    length = np.sqrt(squared_length)
    scale = np.zeros_like(length, dtype=np.float64)
    np.divide(
        1.0,
        length,
        out=scale,
        where=length > 0,
    )
    return sparse.csr_matrix(sparse.diags(scale.astype(np.float32)) @ matrix)
