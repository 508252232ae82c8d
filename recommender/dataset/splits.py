"""Splits of a data set into training events and test cases."""

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
    """Training data and test cases.

    train: events that models may learn from.
    histories: history of each case; only events before its target.
    target: item to be predicted, int32 (cases,).
    user: user of each case, int64 (cases,).
    """

    train: Dataset
    histories: Histories
    target: Int32Array
    user: Int64Array

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: Int64Array) -> Split:
        """The cases with these numbers, in this order; training data is unchanged."""
        return Split(
            train=self.train,
            histories=self.histories.take_rows(rows),
            target=self.target[rows],
            user=self.user[rows],
        )

    def sample_cases(self, max_cases: int, rng: np.random.Generator) -> Split:
        """At most `max_cases` cases, drawn without replacement, in their original order."""
        if len(self) <= max_cases:
            return self
        rows = rng.choice(len(self), max_cases, replace=False)
        return self.take(np.sort(rows).astype(np.int64))


def leave_last_out(dataset: Dataset) -> Split:
    """Hides the last event of each user who has at least two events."""
    n_events = np.diff(dataset.indptr)
    user = np.flatnonzero(n_events >= 2).astype(np.int64)
    last_event = dataset.indptr[user + 1] - 1
    is_training_event = np.ones(dataset.n_events, dtype=np.bool_)
    is_training_event[last_event] = False
    train = dataset.filter_events(is_training_event)
    return Split(
        train=train,
        histories=train.raw_histories.take_rows(user),
        target=dataset.item[last_event],
        user=user,
    )


def time_split(
    dataset: Dataset,
    *,
    test_fraction: float = 0.1,
    cutoff_ms: int | None = None,
) -> Split:
    """Hides all events from a cutoff on; the target of a user is the first of them.

    Users without an event before the cutoff have no case.

    Args:
        dataset: events with timestamps.
        test_fraction: fraction of the events that is hidden, where there is no `cutoff_ms`.
        cutoff_ms: first hidden timestamp, in milliseconds since 1970.

    Raises:
        DataError: the events have no timestamps.
    """
    train = dataset.filter_events(_mask_before_cutoff(dataset, test_fraction, cutoff_ms))
    n_training_events = np.diff(train.indptr)
    n_events = np.diff(dataset.indptr)
    has_case = (n_training_events > 0) & (n_events > n_training_events)
    user = np.flatnonzero(has_case).astype(np.int64)
    # Events of a user are in time order: the first hidden one follows the training events.
    first_hidden_event = dataset.indptr[user] + n_training_events[user]
    return Split(
        train=train,
        histories=train.raw_histories.take_rows(user),
        target=dataset.item[first_hidden_event],
        user=user,
    )


def roll_forward(
    dataset: Dataset,
    *,
    test_fraction: float = 0.1,
    cutoff_ms: int | None = None,
) -> Split:
    """As `time_split`, but every hidden event is a case, except for the first event of a user.

    The history of a case has all events before it, hidden ones too. New users therefore have cases from their second
    event on, as in serving. Of more than MAX_TEST_CASES events, a fixed random sample is used.

    Args and Raises: as `time_split`.
    """
    is_before_cutoff = _mask_before_cutoff(dataset, test_fraction, cutoff_ms)
    is_first_event = np.zeros(dataset.n_events, dtype=np.bool_)
    has_events = np.diff(dataset.indptr) > 0
    is_first_event[dataset.indptr[:-1][has_events]] = True
    test_events = np.flatnonzero(~is_before_cutoff & ~is_first_event).astype(np.int64)
    if len(test_events) > MAX_TEST_CASES:
        rng = np.random.default_rng(0)
        test_events = np.sort(rng.choice(test_events, MAX_TEST_CASES, replace=False))
    histories = dataset.raw_histories
    return Split(
        train=dataset.filter_events(is_before_cutoff),
        histories=histories.slice_prefixes(test_events, max_length=MAX_TEST_HISTORY),
        target=dataset.item[test_events],
        user=histories.row_ids()[test_events],
    )


def _mask_before_cutoff(dataset: Dataset, test_fraction: float, cutoff_ms: int | None) -> BoolArray:
    """Events before the cutoff, bool (events,)."""
    if not dataset.has_timestamps:
        raise DataError("A split by time needs events with a timestamp.")
    if cutoff_ms is None:
        quantile = np.quantile(dataset.timestamp, 1 - test_fraction, method="higher")
        cutoff_ms = int(quantile)
    return dataset.timestamp < cutoff_ms


# One case per user, so that no user has more weight than another in fitted weights.
VALIDATION_PROTOCOLS: dict[EvaluationProtocol, Callable[[Dataset], Split]] = {
    "leave-last-out": leave_last_out,
    "time-split": time_split,
}
# All cases after the cutoff; reported metrics are means over users, not over cases.
TEST_PROTOCOLS = VALIDATION_PROTOCOLS | {"time-split": roll_forward}
