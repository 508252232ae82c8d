"""What is hidden from the algorithms and asked of them afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from recommender.dataset.dataset import Dataset
from recommender.types import BoolArray, DataError, Histories, Int32Array, Int64Array

EvaluationProtocol = Literal["leave-last-out", "time-split"]
MAX_TEST_CASES = 20_000
MAX_TEST_HISTORY = 1_000


@dataclass(frozen=True)
class Split:
    """train: what may be learned from; case i asks user[i] with histories row i for target[i].

    Histories hold only events before the target."""

    train: Dataset
    histories: Histories
    target: Int32Array
    user: Int64Array

    def __len__(self) -> int:
        return len(self.target)

    def sample_cases(self, max_cases: int, rng: np.random.Generator) -> Split:
        """At most `most` of the cases, drawn without repetition; training is unchanged."""
        if len(self) <= max_cases:
            return self
        rows = np.sort(rng.choice(len(self), max_cases, replace=False)).astype(np.int64)
        return Split(self.train, self.histories.take_rows(rows), self.target[rows], self.user[rows])


def leave_last_out(dataset: Dataset) -> Split:
    """Hides the last event of each user who has at least two."""
    lengths = np.diff(dataset.indptr)
    user = np.flatnonzero(lengths >= 2).astype(np.int64)
    last = dataset.indptr[user + 1] - 1
    kept = np.ones(dataset.n_events, dtype=np.bool_)
    kept[last] = False
    train = dataset.filter_events(kept)
    return Split(train, train.raw_histories.take_rows(user), dataset.item[last], user)


def time_split(dataset: Dataset, *, test_fraction: float = 0.1, cutoff_ms: int | None = None) -> Split:
    """Hides the latest `share` of all events, or those from `cut` (ms) on; the target is a user's first of them.

    Users without an event before the cut are not asked. Raises DataError without times."""
    train = dataset.filter_events(_mask_before_cutoff(dataset, test_fraction, cutoff_ms))
    known = np.diff(train.indptr)
    user = np.flatnonzero((known > 0) & (np.diff(dataset.indptr) > known)).astype(np.int64)
    first = dataset.indptr[user] + known[user]
    return Split(train, train.raw_histories.take_rows(user), dataset.item[first], user)


def roll_forward(dataset: Dataset, *, test_fraction: float = 0.1, cutoff_ms: int | None = None) -> Split:
    """As time_split, but each later event that has something before it is asked, with all that came before it.

    So people who came after the cut are asked from their second event on, as the platform serves them. Of more than MOST_ASKED
    events so many are drawn, always the same. Raises DataError without times."""
    before = _mask_before_cutoff(dataset, test_fraction, cutoff_ms)
    first = np.zeros(dataset.n_events, dtype=np.bool_)
    first[dataset.indptr[:-1][np.diff(dataset.indptr) > 0]] = True
    asked = np.flatnonzero(~before & ~first).astype(np.int64)
    if len(asked) > MAX_TEST_CASES:
        asked = np.sort(np.random.default_rng(0).choice(asked, MAX_TEST_CASES, replace=False))
    histories = dataset.raw_histories
    user = histories.row_ids()[asked]
    return Split(
        dataset.filter_events(before),
        histories.slice_prefixes(asked, max_length=MAX_TEST_HISTORY),
        dataset.item[asked],
        user,
    )


def _mask_before_cutoff(dataset: Dataset, test_fraction: float, cutoff_ms: int | None) -> BoolArray:
    """Which events came before the cut."""
    if not dataset.has_timestamps:
        raise DataError("A split by time needs events with a timestamp.")
    if cutoff_ms is None:
        cutoff_ms = int(np.quantile(dataset.timestamp, 1 - test_fraction, method="higher"))
    return dataset.timestamp < cutoff_ms


# What is learned and chosen from: a case a user, so that nobody counts more than others.
VALIDATION_PROTOCOLS: dict[EvaluationProtocol, Callable[[Dataset], Split]] = {
    "leave-last-out": leave_last_out,
    "time-split": time_split,
}
# What is quoted: all that the time after the cut can tell. Figures are means of users, not of events.
TEST_PROTOCOLS = VALIDATION_PROTOCOLS | {"time-split": roll_forward}
