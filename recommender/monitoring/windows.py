"""Counts of a tenant's events in two windows of time: a reference window and the latest days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from recommender.tenant_data.paging import iter_item_pages
from recommender.types import BoolArray, Int64Array
from tenants.common.time_units import DAY_MS
from tenants.data.queries import tenant_state, timeline
from tenants.data.queries.consent import load_consent_filter
from tenants.data.records import Records
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

HOUR_BINS = 8
# Bins of a profile's events in a day: 1, 2, 3-4, 5-8, 9-16, 17 and more.
ACTIVITY_EDGES = np.array([2, 3, 5, 9, 17])
MAX_CATEGORIES = 20
SAMPLE_SIZE = 500
MAX_HISTORY_LENGTH = 200
# Bins after those of the most frequent categories.
_OTHER_CATEGORY = MAX_CATEGORIES
_NO_CATEGORY = MAX_CATEGORIES + 1


@dataclass(
    frozen=True,
    slots=True,
)
class TimeWindow:
    """A half-open interval: `start` is inside, `end` is not."""

    start: datetime
    end: datetime

    @property
    def end_ms(self) -> int:
        """The end in Unix milliseconds."""
        return int(self.end.timestamp() * 1000)

    def mask_inside(self, timestamps: Int64Array) -> BoolArray:
        """Which of the timestamps, in Unix milliseconds, are inside."""
        start_ms = int(self.start.timestamp() * 1000)
        return np.asarray((timestamps >= start_ms) & (timestamps < self.end_ms), dtype=np.bool_)

    def to_json(self) -> dict[str, Any]:
        """Both times in ISO 8601."""
        return {"start": self.start.isoformat(), "end": self.end.isoformat()}


@dataclass(
    frozen=True,
    slots=True,
)
class DriftWindows:
    """The window that the model was trained on, and the latest days."""

    reference: TimeWindow
    latest: TimeWindow

    @classmethod
    def from_durations(
        cls,
        now: datetime,
        trained_until: datetime,
        *,
        latest: timedelta,
        reference: timedelta,
    ) -> DriftWindows:
        """Windows of these durations.

        The latest window ends now. The reference window ends with the newest event of the training, or where the latest
        window begins, if that is earlier.
        """
        latest_start = now - latest
        # One millisecond later, so that the newest event of the training is inside.
        reference_end = min(latest_start, trained_until + timedelta(milliseconds=1))
        return cls(
            reference=TimeWindow(reference_end - reference, reference_end),
            latest=TimeWindow(latest_start, now),
        )


@dataclass(
    frozen=True,
    slots=True,
)
class _TableWidths:
    """The numbers of bins; equal for both windows, so that their counts can be compared."""

    kinds: int = 0
    categories: int = 0


@dataclass
class WindowStats:
    """Counts of one window.

    `histories` are item numbers of the first SAMPLE_SIZE profiles in the order of their keys, which are hashes, so the sample is
    random.
    """

    n_profiles: int = 0
    kind_counts: Counter[int] = field(default_factory=Counter)
    category_counts: Counter[int] = field(default_factory=Counter)
    hour_counts: Int64Array = field(default_factory=lambda: np.zeros(HOUR_BINS, np.int64))
    activity_counts: Int64Array = field(default_factory=lambda: np.zeros(ACTIVITY_EDGES.size + 1, np.int64))
    histories: list[Int64Array] = field(default_factory=list)
    _table_widths: _TableWidths = _TableWidths()

    def to_tables(self) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
        """Counts of event kinds, categories, hours and activity, int64 (bins)."""
        return (
            _to_table(self.kind_counts, self._table_widths.kinds),
            _to_table(self.category_counts, self._table_widths.categories),
            self.hour_counts,
            self.activity_counts,
        )

    def add_profile(self, records: Records, item_categories: Int64Array) -> None:
        """Counts one profile's events in this window; `item_categories` are bins by item number."""
        self.n_profiles += 1
        self.kind_counts.update(records["kind"].tolist())
        # Item numbers beyond the table are newer than it; they are counted as its last item.
        items = np.minimum(records["item"], item_categories.size - 1)
        self.category_counts.update(item_categories[items].tolist())
        timestamps = records["at"].astype(np.int64)
        hour_bins = timestamps % DAY_MS // (DAY_MS // HOUR_BINS)
        self.hour_counts += np.bincount(hour_bins, minlength=HOUR_BINS)
        _days, events_per_day = np.unique(timestamps // DAY_MS, return_counts=True)
        activity_bins = np.searchsorted(ACTIVITY_EDGES, events_per_day, side="right")
        self.activity_counts += np.bincount(activity_bins, minlength=self.activity_counts.size)

    def to_json(self) -> dict[str, Any]:
        """The numbers of profiles and events."""
        return {"profiles": self.n_profiles, "events": int(self.hour_counts.sum())}


@dataclass(
    frozen=True,
    slots=True,
)
class WindowPair:
    """Counts of both windows."""

    reference: WindowStats
    latest: WindowStats


def load_window_stats(tenant: TenantRef, windows: DriftWindows, *, actor: Actor) -> WindowPair:
    """Counts the events of profiles whose consent allows it.

    Without personalisation there is no sample of histories. Memory is one profile's recent events, a number for each item of the
    catalogue, and the sample.
    """
    with scope(tenant, actor=actor) as s:
        state = tenant_state.get_state(s)
        consent = load_consent_filter(s, state.privacy)
    item_categories = _load_item_categories(tenant, actor)
    kinds = list(state.event_kinds.values())
    positive_kinds = np.array([kind.number for kind in kinds if kind.weight > 0], np.int64)
    n_kinds = max((kind.number for kind in kinds), default=-1) + 1
    widths = _TableWidths(
        kinds=n_kinds,
        categories=_NO_CATEGORY + 1,
    )
    pair = WindowPair(WindowStats(_table_widths=widths), WindowStats(_table_widths=widths))
    is_personalised = state.privacy.personalisation == "on"
    for key, records in _iter_profiles(tenant, windows, actor):
        if not consent.allows(key):
            continue
        timestamps = records["at"].astype(np.int64)
        for stats, window in ((pair.reference, windows.reference), (pair.latest, windows.latest)):
            inside = records[window.mask_inside(timestamps)]
            if not inside.size:
                continue
            stats.add_profile(inside, item_categories)
            if is_personalised and len(stats.histories) < SAMPLE_SIZE:
                # A history may begin before the window: it is what the model would have known at its end.
                past_records = records[timestamps < window.end_ms]
                stats.histories.append(_extract_history(past_records, positive_kinds))
    return pair


def _to_table(counts: Counter[int], width: int) -> Int64Array:
    return np.array([counts[number] for number in range(width)], np.int64)


def _extract_history(records: Records, positive_kinds: Int64Array) -> Int64Array:
    positive_records = records[np.isin(records["kind"], positive_kinds)]
    return np.asarray(positive_records["item"][-MAX_HISTORY_LENGTH:], dtype=np.int64)


def _iter_profiles(tenant: TenantRef, windows: DriftWindows, actor: Actor) -> Iterator[tuple[bytes, Records]]:
    """(profile key, events since the start of the earlier window, oldest first)."""
    start = min(windows.reference.start, windows.latest.start)
    chunks = timeline.scan_recent_chunks(tenant, start, actor=actor)
    # Chunks arrive in order of the key, so groupby sees each profile once.
    for key, profile_chunks in groupby(chunks, key=lambda chunk: chunk[0]):
        records = np.concatenate([chunk_records for _key, chunk_records in profile_chunks])
        yield key, records[np.argsort(records["at"], kind="stable")]


def _load_item_categories(tenant: TenantRef, actor: Actor) -> Int64Array:
    """int64 indexed by item number: the rank of the item's first category by frequency, _OTHER_CATEGORY or _NO_CATEGORY."""
    category_by_item: dict[int, str] = {}
    for page in iter_item_pages(tenant, actor=actor):
        for stored in page:
            category_by_item[stored.item_no] = (stored.item.categories or [""])[0]
    counts = Counter(name for name in category_by_item.values() if name)
    frequent_categories = [name for name, _count in counts.most_common(MAX_CATEGORIES)]
    rank_by_name = {name: rank for rank, name in enumerate(frequent_categories)}
    rank_by_name[""] = _NO_CATEGORY
    table = np.full(max(category_by_item, default=0) + 1, _NO_CATEGORY, np.int64)
    for number, name in category_by_item.items():
        table[number] = rank_by_name.get(name, _OTHER_CATEGORY)
    return table
