"""Words shared by the mathematics: array types, histories, answers and errors."""

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
"""Called with a phase name and the fraction (0..1) of that phase; may raise Cancelled to stop the work."""


class DataError(ValueError):
    """The data given cannot be used; the message is one sentence for the person who gave it."""


class TrainingCancelled(Exception):
    """Raised by a report function to stop a fit; it passes through untouched."""


class InsufficientDataError(Exception):
    """This algorithm cannot learn from this data (the message says why); others may still."""


def ignore_progress(_phase: str, _fraction: float) -> None:
    """A Report for callers who do not watch."""


@dataclass(frozen=True, slots=True)
class Histories:
    """Item numbers of several histories, oldest first; row i is item[indptr[i]:indptr[i + 1]].

    weight is the strength of each event (one where nothing is known)."""

    indptr: Int64Array
    item: Int32Array
    weight: Float32Array

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def from_lists(cls, rows: Sequence[Sequence[int] | Int32Array]) -> Histories:
        lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        parts = [np.asarray(row, dtype=np.int32) for row in rows]
        item = np.concatenate(parts) if parts else np.empty(0, np.int32)
        return cls(indptr, item.astype(np.int32), np.ones(len(item), np.float32))

    @classmethod
    def from_single(cls, history: Int32Array, weight: Float32Array | None = None) -> Histories:
        """A single row."""
        strength = np.ones(len(history), np.float32) if weight is None else weight
        return cls(np.array([0, len(history)], np.int64), history, strength)

    @property
    def lengths(self) -> Int64Array:
        return np.diff(self.indptr)

    def row_ids(self) -> Int64Array:
        """The row of each event."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def slice_row(self, number: int) -> Int32Array:
        return self.item[self.indptr[number] : self.indptr[number + 1]]

    def distance_from_end(self) -> Int64Array:
        """Distance of each event from the end of its row: 0 for the latest."""
        ends = np.repeat(self.indptr[1:], self.lengths)
        return ends - 1 - np.arange(len(self.item), dtype=np.int64)

    def filter_events(self, mask: BoolArray) -> Histories:
        """The same rows without the events where mask is False."""
        kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(mask, dtype=np.int64)])
        return Histories(kept[self.indptr], self.item[mask], self.weight[mask])

    def take_last(self, count: int) -> Histories:
        """At most the latest `count` events of each row."""
        if len(self) == 1 and len(self.item) <= count:
            return self
        return self.filter_events(self.distance_from_end() < count)

    def drop_unknown_and_repeats(self, n_items: int) -> Histories:
        """Without item numbers outside 0..items-1 and without immediate repetitions."""
        inside = (self.item >= 0) & (self.item < n_items)
        clean = self if inside.all() else self.filter_events(inside)
        if len(clean.item) < 2:
            return clean
        same = clean.item[1:] == clean.item[:-1]
        if not same.any():
            return clean
        # The last of a row and the first of the next are no repetition.
        ends = clean.indptr[1:-1] - 1
        same[ends[(ends >= 0) & (ends < len(same))]] = False
        return clean.filter_events(np.append(~same, True))

    def take_rows(self, rows: Int64Array) -> Histories:
        """The given rows, in the given order."""
        lengths = self.lengths[rows]
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        shift = np.repeat(self.indptr[rows] - indptr[:-1], lengths)
        index = shift + np.arange(indptr[-1], dtype=np.int64)
        return Histories(indptr, self.item[index], self.weight[index])

    def slice_prefixes(self, events: Int64Array, *, max_length: int) -> Histories:
        """For each event (a place in `item`) the latest `most` events of its row that came before it, as a row of its own."""
        start = np.maximum(self.indptr[self.row_ids()[events]], events - max_length)
        lengths = events - start
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        index = np.repeat(start - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Histories(indptr, self.item[index], self.weight[index])

    def iter_chunks(self, size: int) -> list[tuple[slice, Histories]]:
        """Consecutive parts of at most `size` rows, for work in bounded memory."""
        parts = []
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            low, high = self.indptr[start], self.indptr[stop]
            part = Histories(self.indptr[start : stop + 1] - low, self.item[low:high], self.weight[low:high])
            parts.append((slice(start, stop), part))
        return parts


@dataclass(frozen=True, slots=True)
class Recommendations:
    """items int32 (n, k), best first, -1 where fewer than k exist; scores float32 (n, k), -inf there."""

    items: Int32Array
    scores: Float32Array
