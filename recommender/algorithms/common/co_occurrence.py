"""Who chose what, once each, and how many users chose two items together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from recommender.algorithms.common.similarity_matrix import to_csr
from recommender.types import Histories, InsufficientDataError

ROWS_PER_BLOCK = 2048


def build_interaction_matrix(histories: Histories, items: int) -> sparse.csr_matrix:
    """float32 (users, items) of ones. Raises CannotFit where no user chose two different items."""
    choices = to_csr(histories, items, np.ones(len(histories.item), np.float32))
    choices.sum_duplicates()
    choices.data[:] = 1
    if not (np.diff(choices.indptr) >= 2).any():
        raise InsufficientDataError("no user chose two different items")
    return choices


def iter_cooccurrence_blocks(interactions: sparse.csr_matrix) -> Iterator[tuple[slice, sparse.csr_matrix]]:
    """The symmetric (items, items) counts, ROWS rows at a time: the whole may be far greater than what is kept."""
    by_item = interactions.T.tocsr()
    for start in range(0, by_item.shape[0], ROWS_PER_BLOCK):
        rows = slice(start, min(start + ROWS_PER_BLOCK, by_item.shape[0]))
        yield rows, sparse.csr_matrix(by_item[rows] @ interactions)
