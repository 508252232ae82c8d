"""Two spans of a tenant's events, counted: what the model learned from, and the latest days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from recommender.types import BoolArray, Int64Array
from tenants.data.queries import catalog, tenant_state, timeline
from tenants.data.queries.consent import load_consent_filter
from tenants.data.records import Records
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

DAY_MS = 86_400_000
HOUR_BINS = 8
ACTIVITY_EDGES = np.array([2, 3, 5, 9, 17])
MAX_CATEGORIES = 20
SAMPLE_SIZE = 500
MAX_HISTORY_LENGTH = 200
_PAGE_SIZE = 5_000


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """From `since` on, before `until`."""

    start: datetime
    end: datetime

    def mask_inside(self, timestamps: Int64Array) -> BoolArray:
        low, high = (int(moment.timestamp() * 1000) for moment in (self.start, self.end))
        return np.asarray((timestamps >= low) & (timestamps < high), dtype=np.bool_)

    def to_json(self) -> dict[str, Any]:
        return {"since": self.start.isoformat(), "until": self.end.isoformat()}


@dataclass(frozen=True, slots=True)
class DriftWindows:
    reference: TimeWindow
    latest: TimeWindow

    @classmethod
    def from_durations(
        cls, now: datetime, trained_until: datetime, *, latest: timedelta, reference: timedelta
    ) -> DriftWindows:
        """The latest days end now. The reference ends where they begin, or where the model's knowledge ended."""
        end = min(now - latest, trained_until + timedelta(milliseconds=1))
        return cls(TimeWindow(end - reference, end), TimeWindow(now - latest, now))


@dataclass
class WindowStats:
    """Counts of one span. `histories` are item numbers of the first SAMPLE profiles by key, which is a random order."""

    n_profiles: int = 0
    kind_counts: Counter[int] = field(default_factory=Counter)
    category_counts: Counter[int] = field(default_factory=Counter)
    hour_counts: Int64Array = field(default_factory=lambda: np.zeros(HOUR_BINS, np.int64))
    activity_counts: Int64Array = field(default_factory=lambda: np.zeros(ACTIVITY_EDGES.size + 1, np.int64))
    histories: list[Int64Array] = field(default_factory=list)
    _table_widths: tuple[int, int] = (0, 0)

    def to_tables(self) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
        """Kinds, categories, hours and activity; of equal widths on both sides of one reading."""
        kinds, categories = (
            np.array([counts[number] for number in range(width)], np.int64)
            for counts, width in zip(
                (self.kind_counts, self.category_counts), self._table_widths, strict=True
            )
        )
        return kinds, categories, self.hour_counts, self.activity_counts

    def add_profile(self, records: Records, item_categories: Int64Array) -> None:
        """One profile's events in this span."""
        self.n_profiles += 1
        self.kind_counts.update(records["kind"].tolist())
        self.category_counts.update(
            item_categories[np.minimum(records["item"], item_categories.size - 1)].tolist()
        )
        at = records["at"].astype(np.int64)
        self.hour_counts += np.bincount(at % DAY_MS // (DAY_MS // HOUR_BINS), minlength=HOUR_BINS)
        _days, a_day = np.unique(at // DAY_MS, return_counts=True)
        self.activity_counts += np.bincount(
            np.searchsorted(ACTIVITY_EDGES, a_day, side="right"), minlength=self.activity_counts.size
        )

    def to_json(self) -> dict[str, Any]:
        return {"profiles": self.n_profiles, "events": int(self.hour_counts.sum())}


def load_window_stats(
    tenant: TenantRef, windows: DriftWindows, *, actor: Actor
) -> tuple[WindowStats, WindowStats]:
    """Of profiles that may be learned from. Memory is one profile's recent events, the catalogue's categories and the
    sample; without personalisation there is no sample."""
    with scope(tenant, actor=actor) as s:
        state = tenant_state.get_state(s)
        consent = load_consent_filter(s, state.privacy)
    category = _load_item_categories(tenant, actor)
    chosen = np.array([kind.number for kind in state.event_kinds.values() if kind.weight > 0], np.int64)
    width = (max((kind.number for kind in state.event_kinds.values()), default=-1) + 1, MAX_CATEGORIES + 2)
    sides = WindowStats(_table_widths=width), WindowStats(_table_widths=width)
    personal = state.privacy.personalisation == "on"
    for key, records in _iter_profiles(tenant, windows, actor):
        if not consent.allows(key):
            continue
        at = records["at"].astype(np.int64)
        for side, span in zip(sides, (windows.reference, windows.latest), strict=True):
            inside = records[span.mask_inside(at)]
            if inside.size:
                side.add_profile(inside, category)
                if personal and len(side.histories) < SAMPLE_SIZE:
                    side.histories.append(_extract_history(records[at < _compute_end_ms(span)], chosen))
    return sides


def _compute_end_ms(window: TimeWindow) -> int:
    return int(window.end.timestamp() * 1000)


def _extract_history(records: Records, positive_kinds: Int64Array) -> Int64Array:
    liked = records[np.isin(records["kind"], positive_kinds)]
    return np.asarray(liked["item"][-MAX_HISTORY_LENGTH:], dtype=np.int64)


def _iter_profiles(tenant: TenantRef, windows: DriftWindows, actor: Actor) -> Iterator[tuple[bytes, Records]]:
    chunks = timeline.scan_recent_chunks(
        tenant, min(windows.reference.start, windows.latest.start), actor=actor
    )
    for key, parts in groupby(chunks, key=lambda chunk: chunk[0]):
        whole = np.concatenate([records for _key, records in parts])
        yield key, whole[np.argsort(whole["at"], kind="stable")]


def _load_item_categories(tenant: TenantRef, actor: Actor) -> Int64Array:
    """By item number: the number of its first category among the most frequent of the catalogue, CATEGORIES for another
    one, and one more for none."""
    first: dict[int, str] = {}
    after = (0, 0)
    while True:
        with scope(tenant, actor=actor) as s:
            page = catalog.list_changed_items(s, after[0], after_no=after[1], limit=_PAGE_SIZE)
        if not page:
            break
        first |= {one.item_no: (one.item.categories or [""])[0] for one in page}
        after = (page[-1].version, page[-1].item_no)
    common = Counter(name for name in first.values() if name).most_common(MAX_CATEGORIES)
    numbers = {name: number for number, (name, _count) in enumerate(common)}
    table = np.full(max(first, default=0) + 1, MAX_CATEGORIES + 1, np.int64)
    for number, name in first.items():
        table[number] = numbers.get(name, MAX_CATEGORIES) if name else MAX_CATEGORIES + 1
    return table
