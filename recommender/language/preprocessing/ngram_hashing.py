"""Hashed text features: models need no vocabulary, and no word of a reviewer can be read from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
from scipy import sparse

from recommender.language.preprocessing.text import tokenize_text

BITS = 18


def hash_feature_rows(rows: Iterable[Iterable[str]], *, bits: int) -> sparse.csr_matrix:
    """Returns float32 csr (rows, 2**bits) with 1 in the column of each feature of a row.

    The column is crc32 modulo 2**bits: Python's own `hash` differs between processes."""
    mask = (1 << bits) - 1
    indptr = [0]
    columns = list[int]()
    for features in rows:
        # A set: two features of one row that collide count once.
        row_columns = {crc32(feature.encode()) & mask for feature in features}
        columns.extend(row_columns)
        indptr.append(len(columns))
    ones = np.ones(len(columns), np.float32)
    indices = np.array(columns, np.int32)
    offsets = np.array(indptr, np.int64)
    shape = (len(indptr) - 1, 1 << bits)
    return sparse.csr_matrix((ones, indices, offsets), shape=shape)


def extract_ngrams(text: str, *, max_tokens: int) -> set[str]:
    """Returns the distinct 1-, 2- and 3-grams over the first `max_tokens` tokens of a cleaned text."""
    tokens = tokenize_text(text)[:max_tokens]
    ngrams = set(tokens)
    bigrams = pairwise(tokens)
    trigrams = zip(tokens, tokens[1:], tokens[2:], strict=False)
    ngrams.update(map(" ".join, bigrams))
    ngrams.update(map(" ".join, trigrams))
    return ngrams


def hash_ngrams(texts: Sequence[str], *, bits: int = BITS, max_tokens: int = 512) -> sparse.csr_matrix:
    """Returns hashed binary n-gram features of cleaned texts: float32 csr (texts, 2**bits), rows of L2 norm 1."""
    rows = (extract_ngrams(text, max_tokens=max_tokens) for text in texts)
    features = hash_feature_rows(rows, bits=bits)
    lengths = np.diff(features.indptr)
    # A row with n ones has norm sqrt(n); empty rows stay empty.
    row_values = 1 / np.sqrt(np.maximum(lengths, 1))
    features.data = np.repeat(row_values, lengths).astype(np.float32)
    return features
