"""What is taken out of the events before anything learns from them, with a count for each rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np

from recommender.dataset.core import Dataset
from recommender.types import Bools, DataError, Doubles, Floats, Ints, Longs

DAY = 86_400_000
MINUTE = 60_000
# 1.4826 makes the median absolute deviation of normal data its standard deviation.
MAD_TO_SIGMA = 1.4826
# Of events without a possible time or a usable weight there is nothing to keep.
IMPOSSIBLE = ("impossible time", "unusable weight")
NOTHING_LEFT = "It would have left nothing, so it was not applied."


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

    future: timedelta = timedelta(days=1)
    burst_events: int = 100
    burst_window: timedelta = timedelta(seconds=10)
    bot_day_events: int = 1_000
    bot_items: int = 5_000
    bot_bound: float = 3.5
    bot_least_users: int = 20
    repeat_window: timedelta = timedelta(seconds=30)
    least_of_user: int = 1
    least_of_item: int = 1
    most_passes: int = 20

    def __post_init__(self) -> None:
        counts = (self.burst_events, self.bot_day_events, self.bot_items, self.bot_least_users)
        if min(*counts, self.least_of_user, self.least_of_item, self.most_passes) < 1:
            raise DataError("Every count of the cleaning rules must be at least 1.")
        if min(self.future, self.burst_window, self.repeat_window) < timedelta(0):
            raise DataError("No window of the cleaning rules may be negative.")
        if not self.bot_bound > 0:
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

    def removed(self) -> dict[str, int]:
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

    user: Longs
    item: Ints
    at: Longs
    weight: Floats
    items: int

    def keep(self, mask: Bools) -> _Events:
        return _Events(self.user[mask], self.item[mask], self.at[mask], self.weight[mask], self.items)

    def pairs(self) -> Longs:
        """One number for each pair of user and item."""
        return self.user * self.items + self.item


class Cleaner:
    """Applies the rules of `config`. Pure: the same data and moment give the same answer."""

    def __init__(self, config: CleaningConfig | None = None) -> None:
        self.config = config or CleaningConfig()

    def clean(self, dataset: Dataset, *, now: datetime) -> tuple[Dataset, CleaningReport]:
        """The data set itself where nothing is removed. Users who lost their last event leave, items never.

        Where any event has a possible time and a usable weight, some are left. Memory: about 80 bytes an event; time:
        that of a sort."""
        owners = dataset.raw_histories.owners()
        events = _Events(owners, dataset.item, dataset.at, dataset.weight, dataset.items)
        counts: dict[str, RuleCount] = {}
        for name, rule in self._rules(now).items():
            events, counts[name] = _applied(rule, events, may_empty=name in IMPOSSIBLE)
        left = np.bincount(events.user, minlength=dataset.users)
        had = np.diff(dataset.indptr)
        report = CleaningReport(
            MappingProxyType(counts), dataset.events, len(events.user), _some(had), _some(left)
        )
        return (_rebuilt(dataset, events, left, had) if report.removed() else dataset), report

    def _rules(self, now: datetime) -> dict[str, Callable[[_Events], _Events]]:
        config = self.config
        latest = int((now + config.future).timestamp() * 1000)
        return {
            "impossible time": lambda e: e.keep((e.at >= 0) & (e.at <= latest)),
            "unusable weight": lambda e: e.keep(np.isfinite(e.weight) & (e.weight > 0)),
            "bot": lambda e: e.keep(~_of_bots(e, config)),
            "burst": lambda e: e.keep(~_in_burst(e, config)),
            "immediate repetition": _without_immediate,
            "repetition in window": lambda e: _without_repeats(e, _milliseconds(config.repeat_window)),
            "short history": lambda e: _with_history(e, config),
        }


def _applied(
    rule: Callable[[_Events], _Events], events: _Events, *, may_empty: bool
) -> tuple[_Events, RuleCount]:
    if not len(events.user):
        return events, RuleCount()
    left = rule(events)
    removed = len(events.user) - len(left.user)
    if not len(left.user) and not may_empty:
        return events, RuleCount(skipped=NOTHING_LEFT)
    if not removed:
        return left, RuleCount()
    size = int(events.user.max()) + 1
    lost = np.bincount(events.user, minlength=size) - np.bincount(left.user, minlength=size)
    return left, RuleCount(removed, _some(lost))


def _in_burst(events: _Events, config: CleaningConfig) -> Bools:
    found = np.zeros(len(events.user), dtype=np.bool_)
    telling = np.flatnonzero(events.at % MINUTE != 0)
    n = config.burst_events
    late, early = telling[n:], telling[:-n]
    same = events.user[late] == events.user[early]
    found[late] = same & (events.at[late] - events.at[early] < _milliseconds(config.burst_window))
    return found


def _of_bots(events: _Events, config: CleaningConfig) -> Bools:
    """Every event of a profile that is far outside what the others do, by its busiest day or by its breadth."""
    users = int(events.user.max()) + 1
    if _some(np.bincount(events.user)) < config.bot_least_users:
        return np.zeros(len(events.user), dtype=np.bool_)
    broad = np.bincount(np.unique(events.pairs()) // events.items, minlength=users)
    bots = _outliers(_busiest_day(events, users), config.bot_day_events, config.bot_bound)
    bots |= _outliers(broad, config.bot_items, config.bot_bound)
    return np.asarray(bots[events.user], dtype=np.bool_)


def _busiest_day(events: _Events, users: int) -> Longs:
    """Most events of each user in one UTC day; unknown times count for none."""
    most = np.zeros(users, dtype=np.int64)
    known = events.at > 0
    user, day = events.user[known], events.at[known] // DAY
    if len(user):
        starts = np.flatnonzero(np.r_[True, (user[1:] != user[:-1]) | (day[1:] != day[:-1])])
        np.maximum.at(most, user[starts], np.diff(np.r_[starts, len(user)]))
    return most


def _outliers(figures: Longs, floor: int, bound: float) -> Bools:
    """Figures of at least `floor` that are outside the robust bound of all figures above zero, in logarithms."""
    some = figures > 0
    if not some.any():
        return np.zeros(len(figures), dtype=np.bool_)
    logs: Doubles = np.log(np.maximum(figures, 1))
    middle = float(np.median(logs[some]))
    deviation = max(MAD_TO_SIGMA * float(np.median(np.abs(logs[some] - middle))), float(np.log(2)))
    return np.asarray((figures >= floor) & (logs > middle + bound * deviation), dtype=np.bool_)


def _without_immediate(events: _Events) -> _Events:
    again = (events.user[1:] == events.user[:-1]) & (events.item[1:] == events.item[:-1])
    return _merged(events, np.arange(len(events.user)), np.r_[True, ~again])


def _without_repeats(events: _Events, window: int) -> _Events:
    pairs = events.pairs()
    order = np.argsort(pairs, kind="stable")  # stable: in time order within a pair
    pair, at = pairs[order], events.at[order]
    again = (pair[1:] == pair[:-1]) & (at[:-1] > 0) & (at[1:] - at[:-1] < window)
    return _merged(events, order, np.r_[True, ~again])


def _merged(events: _Events, order: Longs, first: Bools) -> _Events:
    """In the given order each run that starts where `first` holds becomes its first event, with the greatest weight."""
    if first.all():
        return events
    starts = np.flatnonzero(first)
    weight = events.weight.copy()
    weight[order[starts]] = np.maximum.reduceat(events.weight[order], starts)
    kept = np.zeros(len(order), dtype=np.bool_)
    kept[order[starts]] = True
    return _Events(events.user, events.item, events.at, weight, events.items).keep(kept)


def _with_history(events: _Events, config: CleaningConfig) -> _Events:
    for _pass in range(config.most_passes):
        enough = np.bincount(events.user)[events.user] >= config.least_of_user
        enough &= np.bincount(events.item)[events.item] >= config.least_of_item
        if enough.all():
            break
        events = events.keep(enough)
        if not len(events.user):
            break
    return events


def _rebuilt(dataset: Dataset, events: _Events, left: Longs, had: Longs) -> Dataset:
    stays = (left > 0) | (had == 0)
    return Dataset(
        users=int(stays.sum()),
        items=dataset.items,
        indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(left[stays])]).astype(np.int64),
        item=events.item,
        at=events.at,
        weight=events.weight,
        content=dataset.content,
        opinions=dataset.opinions,
        item_ids=dataset.item_ids,
        user_ids=tuple(name for name, stay in zip(dataset.user_ids, stays, strict=False) if stay),
    )


def _some(counts: Longs) -> int:
    return int(np.count_nonzero(counts))


def _milliseconds(window: timedelta) -> int:
    return window // timedelta(milliseconds=1)
