"""The rules of cleaning: masks and merges over columns of events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from recommender.types import BoolArray, DataError, Float32Array, Float64Array, Int32Array, Int64Array
from tenants.common.time_units import DAY_MS

MINUTE_MS = 60_000
# For normally distributed data, 1.4826 times the median absolute deviation is the standard deviation.
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class CleaningConfig:
    """Thresholds of the rules, in the order of application. The defaults keep everything that a person can do.

    impossible time: before 1970, or more than `max_future` after now. Zero is an unknown time and is kept.
    unusable weight: NaN, infinite, zero or negative.
    bot: all events of a user who has at least `bot_day_events` on the busiest UTC day (960 is one per minute through
        sixteen hours) or at least `bot_items` different items, and whose logarithm of that number is more than
        `bot_max_sigmas` deviations above the median of all users. The deviation is 1.4826 MAD, at least a factor of two;
        3.5 is the threshold of the modified z-score (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993).
        Skipped with fewer than `bot_min_users` users. Applied before bursts are removed.
    burst: an event that follows `burst_events` events of the same user within `burst_window`; those are kept. Events on
        a full minute are ignored: their times are rounded to minutes or days and are no evidence of speed.
    immediate repetition: the same item as in the previous event; the first event is kept with the greatest weight.
    repetition in window: the same item less than `repeat_window` after its previous event, with other items between.
    short history: users with fewer than `min_user_events` and items with fewer than `min_item_events`, repeated until all
        have enough or for `max_passes` passes. Items stay in the catalogue.
    """

    max_future: timedelta = timedelta(days=1)
    burst_events: int = 100
    burst_window: timedelta = timedelta(seconds=10)
    bot_day_events: int = 1_000
    bot_items: int = 5_000
    bot_max_sigmas: float = 3.5
    bot_min_users: int = 20
    repeat_window: timedelta = timedelta(seconds=30)
    min_user_events: int = 1
    min_item_events: int = 1
    max_passes: int = 20

    def __post_init__(self) -> None:
        counts = (
            self.burst_events,
            self.bot_day_events,
            self.bot_items,
            self.bot_min_users,
            self.min_user_events,
            self.min_item_events,
            self.max_passes,
        )
        if min(counts) < 1:
            raise DataError("Every count of the cleaning rules must be at least 1.")
        if min(self.max_future, self.burst_window, self.repeat_window) < timedelta(0):
            raise DataError("No window of the cleaning rules may be negative.")
        if not self.bot_max_sigmas > 0:
            raise DataError("The threshold for bots must be above 0.")


@dataclass(frozen=True, slots=True)
class CleaningEvents:
    """Columns of events, grouped by user and in time order within a user."""

    user: Int64Array
    item: Int32Array
    timestamp: Int64Array
    weight: Float32Array
    n_items: int

    def __len__(self) -> int:
        return len(self.user)

    def filter_events(self, mask: BoolArray) -> CleaningEvents:
        """The events where `mask` is True."""
        return CleaningEvents(
            user=self.user[mask],
            item=self.item[mask],
            timestamp=self.timestamp[mask],
            weight=self.weight[mask],
            n_items=self.n_items,
        )

    def encode_pairs(self) -> Int64Array:
        """One number for each pair of user and item."""
        return self.user * self.n_items + self.item


def mask_bursts(events: CleaningEvents, config: CleaningConfig) -> BoolArray:
    """Events that follow at least `burst_events` others of the same user within the window, bool (events,)."""
    is_burst = np.zeros(len(events), dtype=np.bool_)
    # Whole-minute times are assumed to be rounded and are no evidence of speed.
    precise = np.flatnonzero(events.timestamp % MINUTE_MS != 0)
    # Each precise event and the one that is `burst_events` precise events before it.
    later, earlier = precise[config.burst_events :], precise[: -config.burst_events]
    is_same_user = events.user[later] == events.user[earlier]
    elapsed = events.timestamp[later] - events.timestamp[earlier]
    is_burst[later] = is_same_user & (elapsed < to_milliseconds(config.burst_window))
    return is_burst


def mask_bots(events: CleaningEvents, config: CleaningConfig) -> BoolArray:
    """All events of users who are outliers by their busiest day or by their number of items, bool (events,)."""
    n_users = int(events.user.max()) + 1
    if count_nonzero(np.bincount(events.user)) < config.bot_min_users:
        return np.zeros(len(events), dtype=np.bool_)
    distinct_pairs = np.unique(events.encode_pairs())
    items_per_user = np.bincount(distinct_pairs // events.n_items, minlength=n_users)
    busiest_day = _count_busiest_day(events, n_users)
    is_bot = _mask_outliers(busiest_day, config.bot_day_events, config.bot_max_sigmas)
    is_bot |= _mask_outliers(items_per_user, config.bot_items, config.bot_max_sigmas)
    return np.asarray(is_bot[events.user], dtype=np.bool_)


def _count_busiest_day(events: CleaningEvents, n_users: int) -> Int64Array:
    """The largest number of events of each user on one UTC day, int64 (n_users,); unknown times are not counted."""
    busiest_day = np.zeros(n_users, dtype=np.int64)
    has_time = events.timestamp > 0
    user, day = events.user[has_time], events.timestamp[has_time] // DAY_MS
    if len(user):
        # Events are in time order within a user: each day of a user is a run of consecutive events.
        is_new_run = (user[1:] != user[:-1]) | (day[1:] != day[:-1])
        run_starts = np.flatnonzero(np.r_[True, is_new_run])
        run_lengths = np.diff(np.r_[run_starts, len(user)])
        np.maximum.at(busiest_day, user[run_starts], run_lengths)
    return busiest_day


def _mask_outliers(counts: Int64Array, min_count: int, max_sigmas: float) -> BoolArray:
    """Counts of at least `min_count` whose logarithm is a robust outlier among those of all counts above zero."""
    is_positive = counts > 0
    if not is_positive.any():
        return np.zeros(len(counts), dtype=np.bool_)
    logs: Float64Array = np.log(np.maximum(counts, 1))
    median = float(np.median(logs[is_positive]))
    mad = float(np.median(np.abs(logs[is_positive] - median)))
    # At least a factor of two: with identical counts the MAD is zero.
    deviation = max(MAD_TO_SIGMA * mad, float(np.log(2)))
    is_outlier = logs > median + max_sigmas * deviation
    return np.asarray((counts >= min_count) & is_outlier, dtype=np.bool_)


def merge_immediate_repeats(events: CleaningEvents) -> CleaningEvents:
    """Merges consecutive events of a user with the same item."""
    is_repeat = (events.user[1:] == events.user[:-1]) & (events.item[1:] == events.item[:-1])
    return _merge_runs(events, np.arange(len(events)), np.r_[True, ~is_repeat])


def merge_repeats_in_window(events: CleaningEvents, window: int) -> CleaningEvents:
    """Merges events of a user with the same item less than `window` milliseconds apart."""
    pairs = events.encode_pairs()
    # A stable sort keeps the events of a pair in time order.
    order = np.argsort(pairs, kind="stable")
    pair, timestamp = pairs[order], events.timestamp[order]
    has_time = timestamp[:-1] > 0
    elapsed = timestamp[1:] - timestamp[:-1]
    is_repeat = (pair[1:] == pair[:-1]) & has_time & (elapsed < window)
    return _merge_runs(events, order, np.r_[True, ~is_repeat])


def _merge_runs(events: CleaningEvents, order: Int64Array, is_run_start: BoolArray) -> CleaningEvents:
    """Merges runs of events, in the given order, into their first event, which gets the greatest weight of the run."""
    if is_run_start.all():
        return events
    starts = np.flatnonzero(is_run_start)
    weight = events.weight.copy()
    # reduceat takes the maximum from each start to the next one.
    weight[order[starts]] = np.maximum.reduceat(events.weight[order], starts)
    is_kept = np.zeros(len(order), dtype=np.bool_)
    is_kept[order[starts]] = True
    return replace(events, weight=weight).filter_events(is_kept)


def filter_k_core(events: CleaningEvents, config: CleaningConfig) -> CleaningEvents:
    """Removes rare users and items until all are frequent enough, or for `max_passes`."""
    for _ in range(config.max_passes):
        # Removing an item shortens histories, and removing a user makes items rarer: hence several passes.
        has_enough = np.bincount(events.user)[events.user] >= config.min_user_events
        has_enough &= np.bincount(events.item)[events.item] >= config.min_item_events
        if has_enough.all():
            break
        events = events.filter_events(has_enough)
        if not len(events):
            break
    return events


def count_nonzero(counts: Int64Array) -> int:
    """How many counts are not zero."""
    return int(np.count_nonzero(counts))


def to_milliseconds(window: timedelta) -> int:
    """Whole milliseconds of a duration."""
    return window // timedelta(milliseconds=1)
