"""Words and characters of a review as hashed marks: no vocabulary to keep, no word of a reviewer inside a model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
from scipy import sparse

from recommender.language.preprocessing.text import tokenize_text

BITS = 18


def extract_ngrams(text: str, *, max_tokens: int) -> set[str]:
    """Distinct runs of one to three words or, where a script has no spaces, characters, of a cleaned text."""
    spoken = tokenize_text(text)[:max_tokens]
    found = set(spoken)
    found.update(map(" ".join, pairwise(spoken)))
    found.update(map(" ".join, zip(spoken, spoken[1:], spoken[2:], strict=False)))
    return found


def hash_ngrams(texts: Sequence[str], *, bits: int = BITS, max_tokens: int = 512) -> sparse.csr_matrix:
    """float32 csr (texts, 2**bits): one where a run stands, rows of length one. The hash is crc32, the same everywhere."""
    mask, indptr, columns = (1 << bits) - 1, [0], list[int]()
    for text in texts:
        row = {crc32(gram.encode()) & mask for gram in extract_ngrams(text, max_tokens=max_tokens)}
        columns.extend(row)
        indptr.append(len(columns))
    lengths = np.diff(indptr)
    values = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths).astype(np.float32)
    return sparse.csr_matrix(
        (values, np.array(columns, np.int32), np.array(indptr, np.int64)), shape=(len(texts), 1 << bits)
    )
