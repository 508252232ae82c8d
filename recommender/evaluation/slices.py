"""Groups of cases that an average can hide: new profiles, new items, the tail, and what profiles state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recommender.dataset import Split
from recommender.types import BoolArray, Int32Array

MAX_NEW_PROFILE_EVENTS = 2
NEW_ITEM_FRACTION = 0.1
HEAD_EVENT_FRACTION = 0.8

NEW_PROFILES, NEW_ITEMS, TAIL_ITEMS = "new_profiles", "new_items", "tail_items"


SegmentColumns = Sequence[tuple[str, Int32Array, Sequence[str]]]
"""(name, the number of each row's value or -1, the values)."""


def build_case_slices(
    split: Split, user_segments: SegmentColumns = (), item_segments: SegmentColumns = ()
) -> dict[str, BoolArray]:
    """A mask over cases by name of the slice; without empty ones and without those that hold every case.

    New profiles have at most two events. New items were first chosen in the latest tenth of the training time, or not
    at all in it. The tail is what is outside the most chosen items that make four fifths of the events.
    One more slice, "name=value", for each value of the users' `labels` and of the targets' `item_labels`."""
    found = {
        NEW_PROFILES: split.histories.lengths <= MAX_NEW_PROFILE_EVENTS,
        TAIL_ITEMS: ~_find_head_items(split)[split.target],
    }
    if split.train.has_timestamps:
        found[NEW_ITEMS] = _find_new_items(split)[split.target]
    for rows, given in ((split.user, user_segments), (split.target, item_segments)):
        for name, of_row, values in given:
            of_case = of_row[rows]
            found |= {f"{name}={value}": of_case == number for number, value in enumerate(values)}
    return {name: mask for name, mask in found.items() if mask.any() and not mask.all()}


def _find_head_items(split: Split) -> BoolArray:
    """The fewest items that have HEAD_SHARE of the training events."""
    counts = np.bincount(split.train.item, minlength=split.train.n_items)
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    head = np.zeros(split.train.n_items, dtype=np.bool_)
    head[order] = (before < HEAD_EVENT_FRACTION * counts.sum()) & (counts[order] > 0)
    return head


def _find_new_items(split: Split) -> BoolArray:
    train = split.train
    first = np.full(train.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, train.item, train.timestamp)
    cut = train.timestamp.min() + (1 - NEW_ITEM_FRACTION) * (train.timestamp.max() - train.timestamp.min())
    return np.asarray(first >= cut, dtype=np.bool_)
