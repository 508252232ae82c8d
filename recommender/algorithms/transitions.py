"""Which item follows which, a few steps ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from recommender.algorithms.neighbours import NeighbourTable, strongest
from recommender.algorithms.ranges import Ranges, Real, Whole
from recommender.algorithms.tabled import Tabled
from recommender.dataset import Dataset
from recommender.types import CannotFit, Floats


@dataclass(frozen=True)
class TransitionsConfig:
    """A pair `gap` steps apart counts 1 / gap, up to `window` steps; both ends are normalised alike."""

    window: int = 5
    decay: float = 0.6
    neighbours: int = 256
    history: int = 50

    when_scoring: ClassVar[Ranges] = {"decay": Real(0.1, 1.0)}
    when_learning: ClassVar[Ranges] = {"window": Whole(1, 12)}


class Transitions(Tabled[TransitionsConfig]):
    name = "transitions"
    config_type = TransitionsConfig

    def _fit(self, data: Dataset, _rng: np.random.Generator) -> None:
        rows = data.histories
        owner = rows.owners()
        counts = sparse.csr_matrix((data.items, data.items), dtype=np.float32)
        for gap in range(1, self.config.window + 1):
            before, after = rows.item[:-gap], rows.item[gap:]
            same = (owner[:-gap] == owner[gap:]) & (before != after)
            value = np.full(int(same.sum()), 1 / gap, np.float32)
            counts = counts + sparse.csr_matrix((value, (before[same], after[same])), shape=counts.shape)
        if counts.nnz == 0:
            raise CannotFit("no user chose two different items")
        outgoing, incoming = (np.asarray(counts.sum(axis=axis)).ravel() for axis in (1, 0))
        scaled = sparse.diags(inverse_root(outgoing)) @ counts @ sparse.diags(inverse_root(incoming))
        self._table = NeighbourTable(strongest(sparse.csr_matrix(scaled), self.config.neighbours))


def inverse_root(totals: Floats) -> Floats:
    """1 / sqrt(x), and zero for zero."""
    return np.divide(1, np.sqrt(totals), out=np.zeros_like(totals), where=totals > 0)
