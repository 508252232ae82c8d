"""Slices of cases for sliced evaluation: new users, new items, long-tail items, and segments of users and items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.dataset import Split
from recommender.types import BoolArray, Int32Array, Int64Array

MAX_NEW_PROFILE_EVENTS = 2
NEW_ITEM_FRACTION = 0.1
HEAD_EVENT_FRACTION = 0.8

NEW_PROFILES, NEW_ITEMS, TAIL_ITEMS = "new_profiles", "new_items", "tail_items"


@dataclass(frozen=True, slots=True)
class SegmentColumn:
    """A categorical attribute of users or items: codes[i] is the index of row i's value in `values`, -1 for none."""

    name: str
    codes: Int32Array
    values: Sequence[str]


SegmentColumns = Sequence[SegmentColumn]


def build_case_slices(
    split: Split, user_segments: SegmentColumns = (), item_segments: SegmentColumns = ()
) -> dict[str, BoolArray]:
    """Masks over the cases, bool (cases,), by name of the slice.

    A slice that holds no case or every case is omitted.

    Args:
        split: the cases.
        user_segments: attributes by user number; each value is a slice "name=value" of the cases of its users.
        item_segments: attributes by item number; each value is a slice of the cases whose target has it.

    Returns:
        new_profiles: users with at most two events. new_items: targets whose first event is in the latest tenth of the
        training time, or who have none. tail_items: targets outside the most popular items that together have four
        fifths of the events. And the slices of the segments.
    """
    slices = {
        NEW_PROFILES: split.histories.lengths <= MAX_NEW_PROFILE_EVENTS,
        TAIL_ITEMS: ~_mask_head_items(split)[split.target],
    }
    if split.train.has_timestamps:
        slices[NEW_ITEMS] = _mask_new_items(split)[split.target]
    slices |= _build_segment_slices(user_segments, split.user)
    slices |= _build_segment_slices(item_segments, split.target)
    return {name: mask for name, mask in slices.items() if mask.any() and not mask.all()}


def _build_segment_slices(segments: SegmentColumns, rows: Int32Array | Int64Array) -> dict[str, BoolArray]:
    """Slices of the cases by the segment value of each case's row (its user or its target)."""
    slices = {}
    for segment in segments:
        case_codes = segment.codes[rows]
        for code, value in enumerate(segment.values):
            slices[f"{segment.name}={value}"] = case_codes == code
    return slices


def _mask_head_items(split: Split) -> BoolArray:
    """The most popular items that together have HEAD_EVENT_FRACTION of the training events, bool (items,)."""
    counts = np.bincount(split.train.item, minlength=split.train.n_items)
    order = np.argsort(-counts, kind="stable")
    # Events of all more popular items: an item belongs to the head while these are fewer than the fraction.
    n_preceding_events = np.cumsum(counts[order]) - counts[order]
    is_head = np.zeros(split.train.n_items, dtype=np.bool_)
    is_head[order] = (n_preceding_events < HEAD_EVENT_FRACTION * counts.sum()) & (counts[order] > 0)
    return is_head


def _mask_new_items(split: Split) -> BoolArray:
    """Items without a training event before the latest NEW_ITEM_FRACTION of the training time, bool (items,)."""
    train = split.train
    # Items without any event keep the largest integer, which is after every cutoff.
    first_event_at = np.full(train.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first_event_at, train.item, train.timestamp)
    start, end = train.timestamp.min(), train.timestamp.max()
    cutoff = start + (1 - NEW_ITEM_FRACTION) * (end - start)
    return np.asarray(first_event_at >= cutoff, dtype=np.bool_)
