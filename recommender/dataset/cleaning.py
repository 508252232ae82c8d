"""What is taken out of the events before anything learns from them, with a count for each rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np

from common.time_units import DAY_MS
from recommender.dataset.dataset import Dataset
from recommender.types import BoolArray, DataError, Float32Array, Float64Array, Int32Array, Int64Array

MINUTE_MS = 60_000
# 1.4826 makes the median absolute deviation of normal data its standard deviation.
MAD_TO_SIGMA = 1.4826
# Of events without a possible time or a usable weight there is nothing to keep.
INVALID_EVENT_RULES = ("impossible time", "unusable weight")
WOULD_REMOVE_ALL = "It would have left nothing, so it was not applied."


@dataclass(frozen=True, slots=True)
class CleaningConfig:
    """Bounds of the rules, in the order in which they are applied. The defaults spare whatever a person can do.

    impossible time: before 1970, or more than `future` after now. Zero is an unknown time and stays.
    unusable weight: NaN, infinite, zero or below.
    bot: all events of a profile whose busiest UTC day has at least `bot_day_events` (one a minute through sixteen
    waking hours is 960), or which touched at least `bot_items` different items, and whose figure's logarithm lies more
    than `bot_bound` deviations above the median of all profiles. Deviation: 1.4826 MAD, and at least a factor of two;
    3.5 is the bound of the modified z-score (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993). Fewer
    than `bot_least_users` profiles make no crowd to compare with: then nobody is a bot. Judged before bursts are cut short.
    burst: the event that has `burst_events` of the same profile in the `burst_window` before it; what came before
    stays. A moment on a full minute is no evidence of speed: it comes from a clock of minutes or days.
    immediate repetition: the same item again with nothing between; the first stays with the greatest weight.
    repetition in window: the same item again within `repeat_window` of the time before, whatever came between.
    short history: profiles and items with fewer events than asked, again and again until all have enough, or for
    `most_passes`; 1 is a single pass. Items stay in the catalogue.
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
        counts = (self.burst_events, self.bot_day_events, self.bot_items, self.bot_min_users)
        if min(*counts, self.min_user_events, self.min_item_events, self.max_passes) < 1:
            raise DataError("Every count of the cleaning rules must be at least 1.")
        if min(self.max_future, self.burst_window, self.repeat_window) < timedelta(0):
            raise DataError("No window of the cleaning rules may be negative.")
        if not self.bot_max_sigmas > 0:
            raise DataError("The bound for bots must be above 0.")


@dataclass(frozen=True, slots=True)
class RuleCount:
    """Events removed, and the profiles they belonged to. `skipped` says why the rule was not applied."""

    events: int = 0
    users: int = 0
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class CleaningReport:
    """Counts by rule, in the order of application; `users` are those with an event."""

    rules: Mapping[str, RuleCount] = field(default_factory=lambda: MappingProxyType({}))
    events_before: int = 0
    events_after: int = 0
    users_before: int = 0
    users_after: int = 0

    def count_removed_events(self) -> dict[str, int]:
        """Events by rule, for the rules that removed any."""
        return {name: count.events for name, count in self.rules.items() if count.events}

    def to_json(self) -> dict[str, Any]:
        return {
            "rules": {
                name: {"events": count.events, "users": count.users}
                | ({"skipped": count.skipped} if count.skipped else {})
                for name, count in self.rules.items()
            },
            "events": [self.events_before, self.events_after],
            "users": [self.users_before, self.users_after],
        }


@dataclass(frozen=True, slots=True)
class _Events:
    """Columns of events, grouped by user and in time order there; `items` is the size of the catalogue."""

    user: Int64Array
    item: Int32Array
    timestamp: Int64Array
    weight: Float32Array
    n_items: int

    def filter_events(self, mask: BoolArray) -> _Events:
        return _Events(
            self.user[mask], self.item[mask], self.timestamp[mask], self.weight[mask], self.n_items
        )

    def encode_pairs(self) -> Int64Array:
        """One number for each pair of user and item."""
        return self.user * self.n_items + self.item


class Cleaner:
    """Applies the rules of `config`. Pure: the same data and moment give the same answer."""

    def __init__(self, config: CleaningConfig | None = None) -> None:
        self.config = config or CleaningConfig()

    def clean(self, dataset: Dataset, *, now: datetime) -> tuple[Dataset, CleaningReport]:
        """The data set itself where nothing is removed. Users who lost their last event leave, items never.

        Where any event has a possible time and a usable weight, some are left. Memory: about 80 bytes an event; time:
        that of a sort."""
        owners = dataset.raw_histories.row_ids()
        events = _Events(owners, dataset.item, dataset.timestamp, dataset.weight, dataset.n_items)
        counts: dict[str, RuleCount] = {}
        for name, rule in self._build_rules(now).items():
            events, counts[name] = _apply_rule(rule, events, may_empty=name in INVALID_EVENT_RULES)
        left = np.bincount(events.user, minlength=dataset.n_users)
        had = np.diff(dataset.indptr)
        report = CleaningReport(
            MappingProxyType(counts),
            dataset.n_events,
            len(events.user),
            _count_nonzero(had),
            _count_nonzero(left),
        )
        return (
            _rebuild_dataset(dataset, events, left, had) if report.count_removed_events() else dataset
        ), report

    def _build_rules(self, now: datetime) -> dict[str, Callable[[_Events], _Events]]:
        config = self.config
        latest = int((now + config.max_future).timestamp() * 1000)
        return {
            "impossible time": lambda e: e.filter_events((e.timestamp >= 0) & (e.timestamp <= latest)),
            "unusable weight": lambda e: e.filter_events(np.isfinite(e.weight) & (e.weight > 0)),
            "bot": lambda e: e.filter_events(~_mask_bots(e, config)),
            "burst": lambda e: e.filter_events(~_mask_bursts(e, config)),
            "immediate repetition": _merge_immediate_repeats,
            "repetition in window": lambda e: _merge_repeats_in_window(
                e, _to_milliseconds(config.repeat_window)
            ),
            "short history": lambda e: _filter_k_core(e, config),
        }


def _apply_rule(
    rule: Callable[[_Events], _Events], events: _Events, *, may_empty: bool
) -> tuple[_Events, RuleCount]:
    if not len(events.user):
        return events, RuleCount()
    left = rule(events)
    removed = len(events.user) - len(left.user)
    if not len(left.user) and not may_empty:
        return events, RuleCount(skipped=WOULD_REMOVE_ALL)
    if not removed:
        return left, RuleCount()
    size = int(events.user.max()) + 1
    lost = np.bincount(events.user, minlength=size) - np.bincount(left.user, minlength=size)
    return left, RuleCount(removed, _count_nonzero(lost))


def _mask_bursts(events: _Events, config: CleaningConfig) -> BoolArray:
    found = np.zeros(len(events.user), dtype=np.bool_)
    telling = np.flatnonzero(events.timestamp % MINUTE_MS != 0)
    n = config.burst_events
    late, early = telling[n:], telling[:-n]
    same = events.user[late] == events.user[early]
    found[late] = same & (
        events.timestamp[late] - events.timestamp[early] < _to_milliseconds(config.burst_window)
    )
    return found


def _mask_bots(events: _Events, config: CleaningConfig) -> BoolArray:
    """Every event of a profile that is far outside what the others do, by its busiest day or by its breadth."""
    users = int(events.user.max()) + 1
    if _count_nonzero(np.bincount(events.user)) < config.bot_min_users:
        return np.zeros(len(events.user), dtype=np.bool_)
    broad = np.bincount(np.unique(events.encode_pairs()) // events.n_items, minlength=users)
    bots = _mask_outliers(_count_busiest_day(events, users), config.bot_day_events, config.bot_max_sigmas)
    bots |= _mask_outliers(broad, config.bot_items, config.bot_max_sigmas)
    return np.asarray(bots[events.user], dtype=np.bool_)


def _count_busiest_day(events: _Events, n_users: int) -> Int64Array:
    """Most events of each user in one UTC day; unknown times count for none."""
    most = np.zeros(n_users, dtype=np.int64)
    known = events.timestamp > 0
    user, day = events.user[known], events.timestamp[known] // DAY_MS
    if len(user):
        starts = np.flatnonzero(np.r_[True, (user[1:] != user[:-1]) | (day[1:] != day[:-1])])
        np.maximum.at(most, user[starts], np.diff(np.r_[starts, len(user)]))
    return most


def _mask_outliers(counts: Int64Array, min_count: int, max_sigmas: float) -> BoolArray:
    """Figures of at least `floor` that are outside the robust bound of all figures above zero, in logarithms."""
    some = counts > 0
    if not some.any():
        return np.zeros(len(counts), dtype=np.bool_)
    logs: Float64Array = np.log(np.maximum(counts, 1))
    middle = float(np.median(logs[some]))
    deviation = max(MAD_TO_SIGMA * float(np.median(np.abs(logs[some] - middle))), float(np.log(2)))
    return np.asarray((counts >= min_count) & (logs > middle + max_sigmas * deviation), dtype=np.bool_)


def _merge_immediate_repeats(events: _Events) -> _Events:
    again = (events.user[1:] == events.user[:-1]) & (events.item[1:] == events.item[:-1])
    return _merge_runs(events, np.arange(len(events.user)), np.r_[True, ~again])


def _merge_repeats_in_window(events: _Events, window: int) -> _Events:
    pairs = events.encode_pairs()
    order = np.argsort(pairs, kind="stable")  # stable: in time order within a pair
    pair, at = pairs[order], events.timestamp[order]
    again = (pair[1:] == pair[:-1]) & (at[:-1] > 0) & (at[1:] - at[:-1] < window)
    return _merge_runs(events, order, np.r_[True, ~again])


def _merge_runs(events: _Events, order: Int64Array, is_run_start: BoolArray) -> _Events:
    """In the given order each run that starts where `first` holds becomes its first event, with the greatest weight."""
    if is_run_start.all():
        return events
    starts = np.flatnonzero(is_run_start)
    weight = events.weight.copy()
    weight[order[starts]] = np.maximum.reduceat(events.weight[order], starts)
    kept = np.zeros(len(order), dtype=np.bool_)
    kept[order[starts]] = True
    return _Events(events.user, events.item, events.timestamp, weight, events.n_items).filter_events(kept)


def _filter_k_core(events: _Events, config: CleaningConfig) -> _Events:
    for _pass in range(config.max_passes):
        enough = np.bincount(events.user)[events.user] >= config.min_user_events
        enough &= np.bincount(events.item)[events.item] >= config.min_item_events
        if enough.all():
            break
        events = events.filter_events(enough)
        if not len(events.user):
            break
    return events


def _rebuild_dataset(
    dataset: Dataset, events: _Events, counts_after: Int64Array, counts_before: Int64Array
) -> Dataset:
    stays = (counts_after > 0) | (counts_before == 0)
    return replace(
        dataset,
        n_users=int(stays.sum()),
        indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts_after[stays])]).astype(np.int64),
        item=events.item,
        timestamp=events.timestamp,
        weight=events.weight,
        user_ids=tuple(name for name, stay in zip(dataset.user_ids, stays, strict=False) if stay),
    )


def _count_nonzero(counts: Int64Array) -> int:
    return int(np.count_nonzero(counts))


def _to_milliseconds(window: timedelta) -> int:
    return window // timedelta(milliseconds=1)
