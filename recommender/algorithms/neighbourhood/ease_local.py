"""EASE for catalogues whose co-occurrence matrix cannot be inverted: one small ridge regression for each item."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import linalg, sparse

from recommender.algorithms.common.co_occurrence import iter_cooccurrence_blocks
from recommender.types import Float32Array, Float64Array, InsufficientDataError, Int32Array, Int64Array


@dataclass
class _CooccurrenceRows:
    """Co-occurrence counts by row, and the place of each item in the block being read (-1: not in it)."""

    indptr: Int64Array
    indices: Int32Array
    data: Float32Array
    item_counts: Float64Array
    position_in_block: Int64Array = field(init=False)

    def __post_init__(self) -> None:
        self.position_in_block = np.full(len(self.item_counts), -1, np.int64)

    @classmethod
    def from_interactions(cls, interactions: sparse.csr_matrix) -> _CooccurrenceRows:
        gram = sparse.vstack([common for _, common in iter_cooccurrence_blocks(interactions)]).tocsr()
        return cls(gram.indptr.astype(np.int64), gram.indices, gram.data, gram.diagonal().astype(np.float64))

    def find_nearest_items(self, item: int, max_items: int) -> tuple[Int64Array, Float32Array]:
        """The other items with the greatest cosine to `item`, at most `most`, and their counts."""
        span = slice(self.indptr[item], self.indptr[item + 1])
        other = self.indices[span] != item
        column, count = self.indices[span][other].astype(np.int64), self.data[span][other]
        if len(column) > max_items:
            cosine = count / np.sqrt(self.item_counts[column])
            best = np.sort(np.argpartition(-cosine, max_items)[:max_items])
            column, count = column[best], count[best]
        return column, count

    def extract_submatrix(self, items: Int64Array) -> Float32Array:
        """The counts among `items`, in Fortran order."""
        lengths = self.indptr[items + 1] - self.indptr[items]
        ends = np.cumsum(lengths)
        index = np.repeat(self.indptr[items] - ends + lengths, lengths) + np.arange(ends[-1])
        self.position_in_block[items] = np.arange(len(items))
        place = self.position_in_block[self.indices[index]]
        inside = place >= 0
        out = np.zeros((len(items), len(items)), np.float32, order="F")
        out[np.repeat(np.arange(len(items)), lengths)[inside], place[inside]] = self.data[index[inside]]
        self.position_in_block[items] = -1
        return out


def solve_per_item(
    interactions: sparse.csr_matrix, *, regularisation: float, n_candidates: int
) -> sparse.csr_matrix:
    """(items, items): column j holds (G_SS + regularisation I)^-1 G_Sj, S the items closest to j, G the counts.

    EASE is the same regression over all other items (Steck 2019, section 3), so with `closest` at the number of items
    this is EASE itself; a bounded S is how SLIM restricts it (Ning and Karypis 2011, fsSLIM). Time grows with
    items x closest^3, memory with the pairs of items that share a user."""
    gram = _CooccurrenceRows.from_interactions(interactions)
    columns, values = [], []
    for item in range(interactions.shape[1]):
        column, count = gram.find_nearest_items(item, n_candidates)
        columns.append(column)
        values.append(
            _solve_ridge(gram.extract_submatrix(column), count, regularisation) if len(column) else count
        )
    target = np.repeat(np.arange(interactions.shape[1]), [len(column) for column in columns])
    return sparse.csr_matrix(
        (np.concatenate(values), (np.concatenate(columns), target)), shape=(interactions.shape[1],) * 2
    )


def _solve_ridge(gram: Float32Array, target_counts: Float32Array, regularisation: float) -> Float32Array:
    gram[np.diag_indices_from(gram)] += regularisation
    _, solution, failed = linalg.lapack.sposv(gram, target_counts, lower=1, overwrite_a=1)
    if failed:
        raise InsufficientDataError("the co-occurrence of items is not positive definite")
    return np.asarray(solution, dtype=np.float32).ravel()
