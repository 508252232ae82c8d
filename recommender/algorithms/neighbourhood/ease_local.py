"""EASE for catalogues whose co-occurrence matrix is too large to invert: one small ridge regression per item."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import linalg, sparse

from recommender.algorithms.common.co_occurrence import iter_cooccurrence_blocks
from recommender.types import Float32Array, Float64Array, InsufficientDataError, Int32Array, Int64Array


@dataclass(frozen=True)
class _NearestItems:
    """Item numbers, ascending, and the number of users that each shares with the target."""

    items: Int64Array
    common_users: Float32Array


@dataclass
class _CooccurrenceRows:
    """Co-occurrence counts of all items in CSR form.

    item_counts: Users of each item, float64 (items).
    position_in_block: Scratch array of `extract_submatrix`: the row of each item in the block, -1 outside of it.
    """

    indptr: Int64Array
    indices: Int32Array
    data: Float32Array
    item_counts: Float64Array
    position_in_block: Int64Array = field(init=False)

    def __post_init__(self) -> None:
        # Allocated once: a new array per item would make the whole solution quadratic in the items.
        self.position_in_block = np.full(len(self.item_counts), -1, np.int64)

    @classmethod
    def from_interactions(cls, interactions: sparse.csr_matrix) -> _CooccurrenceRows:
        blocks = [block for _, block in iter_cooccurrence_blocks(interactions)]
        gram = sparse.vstack(blocks).tocsr()
        return cls(
            indptr=gram.indptr.astype(np.int64),
            indices=gram.indices,
            data=gram.data,
            item_counts=gram.diagonal().astype(np.float64),
        )

    def find_nearest_items(
        self,
        item: int,
        max_items: int,
    ) -> _NearestItems:
        """Finds the other items with the greatest cosine to `item`, at most `max_items`."""
        span = slice(self.indptr[item], self.indptr[item + 1])
        is_other = self.indices[span] != item
        neighbours = self.indices[span][is_other].astype(np.int64)
        common_users = self.data[span][is_other]
        if len(neighbours) > max_items:
            # The count of `item` itself is a common factor of all cosines and is left out.
            cosine = common_users / np.sqrt(self.item_counts[neighbours])
            nearest = np.sort(np.argpartition(-cosine, max_items)[:max_items])
            neighbours = neighbours[nearest]
            common_users = common_users[nearest]
        return _NearestItems(neighbours, common_users)

    def extract_submatrix(self, items: Int64Array) -> Float32Array:
        """Returns the counts among `items` as a dense matrix in Fortran order, float32 (n, n)."""
        lengths = self.indptr[items + 1] - self.indptr[items]
        ends = np.cumsum(lengths)
        # Positions in `indices` and `data` of all entries of these rows: the start of each row in the whole matrix
        # minus its start among the selected entries, plus a running number.
        row_shift = self.indptr[items] - (ends - lengths)
        entries = np.repeat(row_shift, lengths) + np.arange(ends[-1])
        self.position_in_block[items] = np.arange(len(items))
        block_columns = self.position_in_block[self.indices[entries]]
        block_rows = np.repeat(np.arange(len(items)), lengths)
        is_inside = block_columns >= 0
        submatrix = np.zeros(
            (len(items), len(items)),
            np.float32,
            order="F",
        )
        submatrix[block_rows[is_inside], block_columns[is_inside]] = self.data[entries[is_inside]]
        # Only the touched positions are reset, for the next item.
        self.position_in_block[items] = -1
        return submatrix


def solve_per_item(
    interactions: sparse.csr_matrix,
    *,
    regularisation: float,
    n_candidates: int,
) -> sparse.csr_matrix:
    """Fits one ridge regression per item on the items that share most users with it.

    EASE is the same regression on all other items (Steck 2019, section 3), so with as many candidates as items the
    result is EASE itself. Restricting the predictors is what fsSLIM does (Ning and Karypis 2011). Time grows with
    items * n_candidates ** 3, memory with the pairs of items that share a user.

    Args:
        interactions: Binary matrix (users, items).
        regularisation: L2 penalty.
        n_candidates: Greatest number of predictors of an item.

    Returns:
        (items, items): column j holds (G_SS + regularisation I)^-1 G_Sj, with G the co-occurrence counts and S the
        candidates of item j.

    Raises:
        InsufficientDataError: A regression has no unique solution.
    """
    n_items = interactions.shape[1]
    cooccurrence = _CooccurrenceRows.from_interactions(interactions)
    predictors = []
    weights = []
    for item in range(n_items):
        nearest = cooccurrence.find_nearest_items(item, n_candidates)
        solution = nearest.common_users
        if len(nearest.items):
            gram = cooccurrence.extract_submatrix(nearest.items)
            solution = _solve_ridge(gram, nearest.common_users, regularisation)
        predictors.append(nearest.items)
        weights.append(solution)
    targets = np.repeat(np.arange(n_items), [len(items) for items in predictors])
    coordinates = (np.concatenate(predictors), targets)
    return sparse.csr_matrix((np.concatenate(weights), coordinates), shape=(n_items, n_items))


def _solve_ridge(
    gram: Float32Array,
    target_counts: Float32Array,
    regularisation: float,
) -> Float32Array:
    """Solves (G + regularisation I) x = target_counts by Cholesky decomposition; overwrites `gram`."""
    gram[np.diag_indices_from(gram)] += regularisation
    _, solution, info = linalg.lapack.sposv(
        gram,
        target_counts,
        lower=1,
        overwrite_a=1,
    )
    if info:
        raise InsufficientDataError("the co-occurrence of items is not positive definite")
    return np.asarray(solution, dtype=np.float32).ravel()
