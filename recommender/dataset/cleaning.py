"""Removes events that models should not learn from, and counts them by rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

import numpy as np

from recommender.dataset.cleaning_report import CleaningReport, RuleCount
from recommender.dataset.cleaning_rules import (
    CleaningConfig,
    CleaningEvents,
    count_nonzero,
    filter_k_core,
    mask_bots,
    mask_bursts,
    merge_immediate_repeats,
    merge_repeats_in_window,
    to_milliseconds,
)
from recommender.dataset.dataset import Dataset
from recommender.types import Int64Array, compute_indptr

# Rules that may remove all events: events without a possible time or a usable weight are of no use.
INVALID_EVENT_RULES = ("impossible time", "unusable weight")
WOULD_REMOVE_ALL = "The rule was not applied, because it would have removed all events."

CleaningRule = Callable[[CleaningEvents], CleaningEvents]


class Cleaner:
    """Applies the rules of `config`. The result depends on the data and the given time only."""

    def __init__(self, config: CleaningConfig | None = None) -> None:
        self.config = config or CleaningConfig()

    def clean(self, dataset: Dataset, *, now: datetime) -> tuple[Dataset, CleaningReport]:
        """Removes events; users without remaining events are removed too, items are not.

        If any event has a possible time and a usable weight, at least one event remains. Needs about 80 bytes of memory
        per event, and the time of a sort.

        Returns:
            The cleaned data set (the same object where nothing was removed) and the report.
        """
        events = CleaningEvents(
            user=dataset.raw_histories.row_ids(),
            item=dataset.item,
            timestamp=dataset.timestamp,
            weight=dataset.weight,
            n_items=dataset.n_items,
        )
        counts: dict[str, RuleCount] = {}
        for name, rule in self._build_rules(now).items():
            may_remove_all = name in INVALID_EVENT_RULES
            events, counts[name] = _apply_rule(rule, events, may_remove_all=may_remove_all)
        counts_before = np.diff(dataset.indptr)
        counts_after = np.bincount(events.user, minlength=dataset.n_users)
        report = CleaningReport(
            rules=MappingProxyType(counts),
            events_before=dataset.n_events,
            events_after=len(events),
            users_before=count_nonzero(counts_before),
            users_after=count_nonzero(counts_after),
        )
        if report.count_removed_events():
            dataset = _rebuild_dataset(dataset, events, counts_before, counts_after)
        return dataset, report

    def _build_rules(self, now: datetime) -> dict[str, CleaningRule]:
        """Rules by name, in the order of application."""
        config = self.config
        latest = int((now + config.max_future).timestamp() * 1000)
        repeat_window = to_milliseconds(config.repeat_window)
        return {
            "impossible time": lambda e: e.filter_events((e.timestamp >= 0) & (e.timestamp <= latest)),
            "unusable weight": lambda e: e.filter_events(np.isfinite(e.weight) & (e.weight > 0)),
            "bot": lambda e: e.filter_events(~mask_bots(e, config)),
            "burst": lambda e: e.filter_events(~mask_bursts(e, config)),
            "immediate repetition": merge_immediate_repeats,
            "repetition in window": lambda e: merge_repeats_in_window(e, repeat_window),
            "short history": lambda e: filter_k_core(e, config),
        }


def _apply_rule(
    rule: CleaningRule,
    events: CleaningEvents,
    *,
    may_remove_all: bool,
) -> tuple[CleaningEvents, RuleCount]:
    if not len(events):
        return events, RuleCount()
    remaining = rule(events)
    n_removed = len(events) - len(remaining)
    if not len(remaining) and not may_remove_all:
        return events, RuleCount(skipped=WOULD_REMOVE_ALL)
    if not n_removed:
        # Repetitions merged into an event change its weight, so that `remaining` is returned.
        return remaining, RuleCount()
    n_users = int(events.user.max()) + 1
    counts_before = np.bincount(events.user, minlength=n_users)
    counts_after = np.bincount(remaining.user, minlength=n_users)
    return remaining, RuleCount(n_removed, count_nonzero(counts_before - counts_after))


def _rebuild_dataset(
    dataset: Dataset,
    events: CleaningEvents,
    counts_before: Int64Array,
    counts_after: Int64Array,
) -> Dataset:
    # Users who never had an event stay.
    is_kept = (counts_after > 0) | (counts_before == 0)
    kept_ids = [name for name, keep in zip(dataset.user_ids, is_kept, strict=False) if keep]
    return replace(
        dataset,
        n_users=int(is_kept.sum()),
        indptr=compute_indptr(counts_after[is_kept]),
        item=events.item,
        timestamp=events.timestamp,
        weight=events.weight,
        user_ids=tuple(kept_ids),
    )
