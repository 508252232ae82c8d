"""Who chose what, once each, and how many users chose two items together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from recommender.algorithms.neighbours import as_matrix
from recommender.types import CannotFit, Histories

ROWS = 2048


def choices_of(histories: Histories, items: int) -> sparse.csr_matrix:
    """float32 (users, items) of ones. Raises CannotFit where no user chose two different items."""
    choices = as_matrix(histories, items, np.ones(len(histories.item), np.float32))
    choices.sum_duplicates()
    choices.data[:] = 1
    if not (np.diff(choices.indptr) >= 2).any():
        raise CannotFit("no user chose two different items")
    return choices


def common_users(choices: sparse.csr_matrix) -> Iterator[tuple[slice, sparse.csr_matrix]]:
    """The symmetric (items, items) counts, ROWS rows at a time: the whole may be far greater than what is kept."""
    by_item = choices.T.tocsr()
    for start in range(0, by_item.shape[0], ROWS):
        rows = slice(start, min(start + ROWS, by_item.shape[0]))
        yield rows, sparse.csr_matrix(by_item[rows] @ choices)
