"""Types shared by all of the recommender: array types, histories, recommendations, errors and the progress callback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Float16Array = NDArray[np.float16]
Float64Array = NDArray[np.float64]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

ProgressCallback = Callable[[str, float], None]
"""Called with the name of a phase and the fraction of its work that is done, 0 to 1; may raise TrainingCancelled to stop it."""


class DataError(ValueError):
    """The data cannot be used. The message is one sentence for the person who provided the data."""


class TrainingCancelled(Exception):
    """Raised by a progress callback to stop a fit; the fit does not catch it."""


class InsufficientDataError(Exception):
    """One model cannot learn from this data; the message says why. Other models may be able to."""


def ignore_progress(_phase: str, _fraction: float) -> None:
    """A ProgressCallback that does nothing."""


def compute_indptr(lengths: Int64Array | BoolArray) -> Int64Array:
    """CSR row pointers for rows of these lengths: row i is the slice indptr[i]:indptr[i + 1]."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


@dataclass(frozen=True, slots=True)
class Histories:
    """Item numbers of several histories in CSR form. Row i, one history, is item[indptr[i]:indptr[i + 1]], oldest event first.

    `weight` is the strength of each event, 1 where it is unknown.
    """

    indptr: Int64Array
    item: Int32Array
    weight: Float32Array

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def from_lists(cls, rows: Sequence[Sequence[int] | Int32Array]) -> Histories:
        """One history for each sequence of item numbers, with weight 1."""
        lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
        item = np.empty(0, np.int32)
        if len(rows):
            item = np.concatenate([np.asarray(row, dtype=np.int32) for row in rows])
        return cls(compute_indptr(lengths), item.astype(np.int32), np.ones(len(item), np.float32))

    @classmethod
    def from_single(cls, history: Int32Array, weight: Float32Array | None = None) -> Histories:
        """A single history."""
        if weight is None:
            weight = np.ones(len(history), np.float32)
        return cls(np.array([0, len(history)], np.int64), history, weight)

    @property
    def lengths(self) -> Int64Array:
        """Number of events of each row."""
        return np.diff(self.indptr)

    def row_ids(self) -> Int64Array:
        """The row of each event."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def slice_row(self, number: int) -> Int32Array:
        """The item numbers of one row, as a view."""
        return self.item[self.indptr[number] : self.indptr[number + 1]]

    def distance_from_end(self) -> Int64Array:
        """Distance of each event from the end of its row: 0 for the latest."""
        ends = np.repeat(self.indptr[1:], self.lengths)
        return ends - 1 - np.arange(len(self.item), dtype=np.int64)

    def filter_events(self, mask: BoolArray) -> Histories:
        """The same rows without the events where `mask` is False."""
        # n_preceding[p] is the number of kept events before position p; so n_preceding[indptr] are the row pointers of the result.
        n_preceding = compute_indptr(mask)
        return Histories(n_preceding[self.indptr], self.item[mask], self.weight[mask])

    def take_last(self, count: int) -> Histories:
        """At most the latest `count` events of each row."""
        if len(self) == 1 and len(self.item) <= count:
            return self
        return self.filter_events(self.distance_from_end() < count)

    def drop_unknown_and_repeats(self, n_items: int) -> Histories:
        """Removes item numbers outside 0..n_items-1, and of several equal events in succession all but the first."""
        histories = self
        is_known = (self.item >= 0) & (self.item < n_items)
        if not is_known.all():
            histories = self.filter_events(is_known)
        if len(histories.item) < 2:
            return histories
        # is_repeat[j] compares event j + 1 with event j.
        is_repeat = histories.item[1:] == histories.item[:-1]
        if not is_repeat.any():
            return histories
        # The last event of a row and the first of the next row are no repetition. If the first or the last rows are empty,
        # their row ends are outside `is_repeat` and are skipped.
        row_ends = histories.indptr[1:-1] - 1
        is_repeat[row_ends[(row_ends >= 0) & (row_ends < len(is_repeat))]] = False
        return histories.filter_events(np.append(~is_repeat, True))

    def take_rows(self, rows: Int64Array) -> Histories:
        """The rows with these numbers, in this order."""
        lengths = self.lengths[rows]
        indptr = compute_indptr(lengths)
        # Event j of the result is event j + offset[j] of `self`; `offset` is constant within a row.
        offset = np.repeat(self.indptr[rows] - indptr[:-1], lengths)
        index = offset + np.arange(indptr[-1], dtype=np.int64)
        return Histories(indptr, self.item[index], self.weight[index])

    def slice_prefixes(self, events: Int64Array, *, max_length: int) -> Histories:
        """One row for each event e of `events`: the events before e in the same history, at most the last `max_length`.

        `events` are positions in `item`.
        """
        row_start = self.indptr[self.row_ids()[events]]
        start = np.maximum(row_start, events - max_length)
        lengths = events - start
        indptr = compute_indptr(lengths)
        index = np.repeat(start - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Histories(indptr, self.item[index], self.weight[index])

    def iter_chunks(self, size: int) -> list[tuple[slice, Histories]]:
        """A list of consecutive chunks of at most `size` rows, each with the slice of its row numbers; `item` and `weight` are views."""
        chunks = []
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            low, high = self.indptr[start], self.indptr[stop]
            chunk = Histories(self.indptr[start : stop + 1] - low, self.item[low:high], self.weight[low:high])
            chunks.append((slice(start, stop), chunk))
        return chunks


@dataclass(frozen=True, slots=True)
class Recommendations:
    """The best items of several histories.

    `items`: int32 (histories, k), best first. `scores`: float32 (histories, k). If a history has fewer than k items, the rest of
    its row has item -1 and score -inf.
    """

    items: Int32Array
    scores: Float32Array
