"""Binary user-item matrices and the item co-occurrence counts that follow from them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from recommender.algorithms.common.similarity_matrix import to_csr
from recommender.types import Histories, InsufficientDataError

ROWS_PER_BLOCK = 2048


def build_interaction_matrix(
    histories: Histories,
    items: int,
) -> sparse.csr_matrix:
    """Builds the binary matrix float32 (len(histories), items): one where the user chose the item.

    Raises:
        InsufficientDataError: No user chose two different items, so no items co-occur.
    """
    ones = np.ones(len(histories.item), np.float32)
    interactions = to_csr(histories, items, ones)
    interactions.sum_duplicates()
    interactions.data[:] = 1
    items_per_user = np.diff(interactions.indptr)
    if not (items_per_user >= 2).any():
        raise InsufficientDataError("no user chose two different items")
    return interactions


def iter_cooccurrence_blocks(interactions: sparse.csr_matrix) -> Iterator[tuple[slice, sparse.csr_matrix]]:
    """Yields X'X, the number of users that chose both items, as (rows, counts (len(rows), items)) blocks.

    Blocks of `ROWS_PER_BLOCK` rows bound the memory: the whole matrix may be far larger than what a caller keeps.
    """
    users_by_item = interactions.T.tocsr()
    n_items = users_by_item.shape[0]
    for start in range(0, n_items, ROWS_PER_BLOCK):
        rows = slice(start, min(start + ROWS_PER_BLOCK, n_items))
        yield rows, sparse.csr_matrix(users_by_item[rows] @ interactions)
