"""What is hidden from the algorithms and asked of them afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recommender.dataset.core import Dataset
from recommender.types import DataError, Histories, Ints, Longs

Protocol = Literal["leave-last-out", "time-split"]


@dataclass(frozen=True)
class Split:
    """train: what may be learned from; case i asks user[i] with histories row i for target[i].

    Histories hold only events before the target."""

    train: Dataset
    histories: Histories
    target: Ints
    user: Longs

    def __len__(self) -> int:
        return len(self.target)

    def sample(self, most: int, rng: np.random.Generator) -> Split:
        """At most `most` of the cases, drawn without repetition; training is unchanged."""
        if len(self) <= most:
            return self
        rows = np.sort(rng.choice(len(self), most, replace=False)).astype(np.int64)
        return Split(self.train, self.histories.take(rows), self.target[rows], self.user[rows])


def leave_last_out(dataset: Dataset) -> Split:
    """Hides the last event of each user who has at least two."""
    lengths = np.diff(dataset.indptr)
    user = np.flatnonzero(lengths >= 2).astype(np.int64)
    last = dataset.indptr[user + 1] - 1
    kept = np.ones(dataset.events, dtype=np.bool_)
    kept[last] = False
    train = dataset.keep(kept)
    return Split(train, train.raw_histories.take(user), dataset.item[last], user)


def time_split(dataset: Dataset, *, share: float = 0.1, cut: int | None = None) -> Split:
    """Hides the latest `share` of all events, or those from `cut` (ms) on; the target is a user's first of them.

    Users without an event before the cut are not asked. Raises DataError without times."""
    if not dataset.timed:
        raise DataError("A split by time needs events with a timestamp.")
    if cut is None:
        cut = int(np.quantile(dataset.at, 1 - share, method="higher"))
    before = dataset.at < cut
    train = dataset.keep(before)
    known = np.diff(train.indptr)
    user = np.flatnonzero((known > 0) & (np.diff(dataset.indptr) > known)).astype(np.int64)
    first = dataset.indptr[user] + known[user]
    return Split(train, train.raw_histories.take(user), dataset.item[first], user)


SPLITS: dict[Protocol, Callable[[Dataset], Split]] = {
    "leave-last-out": leave_last_out,
    "time-split": time_split,
}
