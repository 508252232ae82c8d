"""Item neighbourhood: what the items of the history that are nearest to an item say for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from recommender.algorithms.co_occurrence import choices_of, common_users
from recommender.algorithms.neighbours import NeighbourTable, strongest
from recommender.algorithms.ranges import Ranges, Real, Whole
from recommender.algorithms.tabled import Tabled
from recommender.dataset import Dataset
from recommender.types import Floats


@dataclass(frozen=True)
class ItemNeighboursConfig:
    """shrinkage is alpha: the common users at which a cosine counts half. neighbours is N.

    The sum over the neighbours is divided by the `mean`-th power of their total similarity: 0 leaves the sum, 1 makes
    the weighted mean. Of a user's choices the latest `longest` are paired, for pairs grow with the square."""

    shrinkage: float = 5.0
    neighbours: int = 50
    mean: float = 0.0
    decay: float = 0.6
    history: int = 50
    longest: int = 500

    when_scoring: ClassVar[Ranges] = {"decay": Real(0.1, 1.0)}
    when_learning: ClassVar[Ranges] = {
        "shrinkage": Real(0.3, 200, log=True),
        "neighbours": Whole(10, 400, log=True),
        "mean": Real(0.0, 1.0),
    }


class ItemNeighbours(Tabled[ItemNeighboursConfig]):
    """r_ui = sum of s_ij r_uj over the N items j nearest to i, by the total of s_ij over them for a mean.

    s_ij is the cosine over users who chose both, times n_ij / (n_ij + alpha) (Sarwar et al. 2001; shrinkage after
    Bell and Koren 2007). r_uj is the weight of the event, faded by its age; zero where j was not chosen."""

    name = "item_neighbours"
    config_type = ItemNeighboursConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        choices = choices_of(data.histories.latest(self.config.longest), data.items)
        chosen = np.asarray(choices.sum(axis=0), dtype=np.float32).ravel()
        nearest = [self._nearest(common, rows, chosen) for rows, common in common_users(choices)]
        # Row j of the table is what j says for others, so the neighbourhoods of the targets are its columns.
        self._table = NeighbourTable(sparse.csr_matrix(sparse.vstack(nearest).T))

    def _nearest(self, common: sparse.csr_matrix, rows: slice, chosen: Floats) -> sparse.csr_matrix:
        """The N greatest similarities of each target of `rows`, itself left out."""
        pairs = common.tocoo()
        target = pairs.row + rows.start
        cosine = pairs.data / np.sqrt(chosen[target] * chosen[pairs.col])
        similar = cosine * pairs.data / (pairs.data + np.float32(self.config.shrinkage))
        other = target != pairs.col
        matrix = sparse.csr_matrix(
            (similar[other], (pairs.row[other], pairs.col[other])), shape=common.shape, dtype=np.float32
        )
        best = strongest(matrix, self.config.neighbours)
        total = np.asarray(best.sum(axis=1)).ravel()
        scale = np.power(total, -self.config.mean, out=np.zeros_like(total), where=total > 0)
        return sparse.csr_matrix(sparse.diags(scale) @ best)
