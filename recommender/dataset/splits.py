"""What is hidden from the algorithms and asked of them afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recommender.dataset.core import Dataset
from recommender.types import Bools, DataError, Histories, Ints, Longs

Protocol = Literal["leave-last-out", "time-split"]
MOST_ASKED = 20_000
LONGEST_ASKED = 1_000


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
    train = dataset.keep(_before(dataset, share, cut))
    known = np.diff(train.indptr)
    user = np.flatnonzero((known > 0) & (np.diff(dataset.indptr) > known)).astype(np.int64)
    first = dataset.indptr[user] + known[user]
    return Split(train, train.raw_histories.take(user), dataset.item[first], user)


def roll_forward(dataset: Dataset, *, share: float = 0.1, cut: int | None = None) -> Split:
    """As time_split, but each later event that has something before it is asked, with all that came before it.

    So people who came after the cut are asked from their second event on, as the platform serves them. Of more than MOST_ASKED
    events so many are drawn, always the same. Raises DataError without times."""
    before = _before(dataset, share, cut)
    first = np.zeros(dataset.events, dtype=np.bool_)
    first[dataset.indptr[:-1][np.diff(dataset.indptr) > 0]] = True
    asked = np.flatnonzero(~before & ~first).astype(np.int64)
    if len(asked) > MOST_ASKED:
        asked = np.sort(np.random.default_rng(0).choice(asked, MOST_ASKED, replace=False))
    histories = dataset.raw_histories
    user = histories.owners()[asked]
    return Split(dataset.keep(before), histories.before(asked, most=LONGEST_ASKED), dataset.item[asked], user)


def _before(dataset: Dataset, share: float, cut: int | None) -> Bools:
    """Which events came before the cut."""
    if not dataset.timed:
        raise DataError("A split by time needs events with a timestamp.")
    if cut is None:
        cut = int(np.quantile(dataset.at, 1 - share, method="higher"))
    return dataset.at < cut


# What is learned and chosen from: a case a user, so that nobody counts more than others.
SPLITS: dict[Protocol, Callable[[Dataset], Split]] = {
    "leave-last-out": leave_last_out,
    "time-split": time_split,
}
# What is quoted: all that the time after the cut can tell. Figures are means of users, not of events.
QUOTED = SPLITS | {"time-split": roll_forward}
