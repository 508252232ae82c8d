"""What all members have in common that are a table of what items say for each other. Only numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

import numpy as np

from recommender.algorithms.base import Arrays, Recommender
from recommender.algorithms.neighbours import SERVED_NEIGHBOURS, NeighbourTable, faded
from recommender.types import Floats, Histories, Ints


class Fading(Protocol):
    """decay: an event's worth beside the one after it; history: how many of the latest events count."""

    @property
    def decay(self) -> float: ...
    @property
    def history(self) -> int: ...


Config = TypeVar("Config", bound=Fading)


class Tabled(Recommender[Config]):
    """Each item of a history adds its row of the table, faded by age. A subclass sets `_table` when it is fitted."""

    _table: NeighbourTable

    def links(self, history: Ints, weight: Floats, items: Ints) -> Floats:
        """float32 (len(history), len(items)): what each event adds to the score of each of `items`.

        The history is clean, as Histories.known() leaves it; the sum over events is score_one() at these items."""
        row = Histories.one(history, weight)
        counts = row.steps_back() < self.config.history
        fade = np.where(counts, faded(row, self.config.decay), 0).astype(np.float32)
        return fade[:, None] * self._table.between(history, items)

    def _score(self, histories: Histories) -> Floats:
        return self._table.score(histories.latest(self.config.history), self.config.decay)

    def _score_one(self, history: Histories) -> Floats:
        return self._table.score_one(history.latest(self.config.history), self.config.decay)

    def _similarity(self, items: Ints) -> Floats:
        return self._table.rows(items)

    def _arrays(self) -> Arrays:
        return self._table.arrays()

    def _narrowed(self, _arrays: Arrays) -> Arrays:
        return self._table.narrow(SERVED_NEIGHBOURS)

    def _restore(self, arrays: Arrays, _files: Mapping[str, bytes]) -> None:
        self._table = NeighbourTable.from_arrays(arrays)
