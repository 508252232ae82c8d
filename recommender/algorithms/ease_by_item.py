"""EASE for catalogues whose co-occurrence matrix cannot be inverted: one small ridge regression for each item."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import linalg, sparse

from recommender.algorithms.co_occurrence import common_users
from recommender.types import CannotFit, Doubles, Floats, Ints, Longs


@dataclass
class _Gram:
    """Co-occurrence counts by row, and the place of each item in the block being read (-1: not in it)."""

    start: Longs
    column: Ints
    count: Floats
    chosen: Doubles
    place: Longs = field(init=False)

    def __post_init__(self) -> None:
        self.place = np.full(len(self.chosen), -1, np.int64)

    @classmethod
    def of(cls, choices: sparse.csr_matrix) -> _Gram:
        gram = sparse.vstack([common for _, common in common_users(choices)]).tocsr()
        return cls(gram.indptr.astype(np.int64), gram.indices, gram.data, gram.diagonal().astype(np.float64))

    def closest(self, item: int, most: int) -> tuple[Longs, Floats]:
        """The other items with the greatest cosine to `item`, at most `most`, and their counts."""
        span = slice(self.start[item], self.start[item + 1])
        other = self.column[span] != item
        column, count = self.column[span][other].astype(np.int64), self.count[span][other]
        if len(column) > most:
            cosine = count / np.sqrt(self.chosen[column])
            best = np.sort(np.argpartition(-cosine, most)[:most])
            column, count = column[best], count[best]
        return column, count

    def block(self, items: Longs) -> Floats:
        """The counts among `items`, in Fortran order."""
        lengths = self.start[items + 1] - self.start[items]
        ends = np.cumsum(lengths)
        index = np.repeat(self.start[items] - ends + lengths, lengths) + np.arange(ends[-1])
        self.place[items] = np.arange(len(items))
        place = self.place[self.column[index]]
        inside = place >= 0
        out = np.zeros((len(items), len(items)), np.float32, order="F")
        out[np.repeat(np.arange(len(items)), lengths)[inside], place[inside]] = self.count[index[inside]]
        self.place[items] = -1
        return out


def solved_by_item(choices: sparse.csr_matrix, *, regularisation: float, closest: int) -> sparse.csr_matrix:
    """(items, items): column j holds (G_SS + regularisation I)^-1 G_Sj, S the items closest to j, G the counts.

    EASE is the same regression over all other items (Steck 2019, section 3), so with `closest` at the number of items
    this is EASE itself; a bounded S is how SLIM restricts it (Ning and Karypis 2011, fsSLIM). Time grows with
    items x closest^3, memory with the pairs of items that share a user."""
    gram = _Gram.of(choices)
    columns, values = [], []
    for item in range(choices.shape[1]):
        column, count = gram.closest(item, closest)
        columns.append(column)
        values.append(_ridge(gram.block(column), count, regularisation) if len(column) else count)
    target = np.repeat(np.arange(choices.shape[1]), [len(column) for column in columns])
    return sparse.csr_matrix(
        (np.concatenate(values), (np.concatenate(columns), target)), shape=(choices.shape[1],) * 2
    )


def _ridge(block: Floats, count: Floats, regularisation: float) -> Floats:
    block[np.diag_indices_from(block)] += regularisation
    _, solution, failed = linalg.lapack.sposv(block, count, lower=1, overwrite_a=1)
    if failed:
        raise CannotFit("the co-occurrence of items is not positive definite")
    return np.asarray(solution, dtype=np.float32).ravel()
