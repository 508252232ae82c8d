"""Two spans of a tenant's events, counted: what the model learned from, and the latest days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from recommender.types import Bools, Longs
from tenants.data.queries import catalog, profiles, space, timeline
from tenants.data.records import Records
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

DAY_MS = 86_400_000
HOUR_BINS = 8
ACTIVITY_EDGES = np.array([2, 3, 5, 9, 17])
CATEGORIES = 20
SAMPLE = 500
LONGEST = 200
_GRANTED, _REFUSED = 1, 2
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` on, before `until`."""

    since: datetime
    until: datetime

    def holds(self, at: Longs) -> Bools:
        low, high = (int(moment.timestamp() * 1000) for moment in (self.since, self.until))
        return np.asarray((at >= low) & (at < high), dtype=np.bool_)

    def to_json(self) -> dict[str, Any]:
        return {"since": self.since.isoformat(), "until": self.until.isoformat()}


@dataclass(frozen=True, slots=True)
class Windows:
    reference: Span
    latest: Span

    @classmethod
    def before(
        cls, now: datetime, learned_until: datetime, *, latest: timedelta, reference: timedelta
    ) -> Windows:
        """The latest days end now. The reference ends where they begin, or where the model's knowledge ended."""
        end = min(now - latest, learned_until + timedelta(milliseconds=1))
        return cls(Span(end - reference, end), Span(now - latest, now))


@dataclass
class Side:
    """Counts of one span. `histories` are item numbers of the first SAMPLE profiles by key, which is a random order."""

    profiles: int = 0
    kinds: Counter[int] = field(default_factory=Counter)
    categories: Counter[int] = field(default_factory=Counter)
    hours: Longs = field(default_factory=lambda: np.zeros(HOUR_BINS, np.int64))
    activity: Longs = field(default_factory=lambda: np.zeros(ACTIVITY_EDGES.size + 1, np.int64))
    histories: list[Longs] = field(default_factory=list)
    _width: tuple[int, int] = (0, 0)

    def tables(self) -> tuple[Longs, Longs, Longs, Longs]:
        """Kinds, categories, hours and activity; of equal widths on both sides of one reading."""
        kinds, categories = (
            np.array([counts[number] for number in range(width)], np.int64)
            for counts, width in zip((self.kinds, self.categories), self._width, strict=True)
        )
        return kinds, categories, self.hours, self.activity

    def add(self, records: Records, category: Longs) -> None:
        """One profile's events in this span."""
        self.profiles += 1
        self.kinds.update(records["kind"].tolist())
        self.categories.update(category[np.minimum(records["item"], category.size - 1)].tolist())
        at = records["at"].astype(np.int64)
        self.hours += np.bincount(at % DAY_MS // (DAY_MS // HOUR_BINS), minlength=HOUR_BINS)
        _days, a_day = np.unique(at // DAY_MS, return_counts=True)
        self.activity += np.bincount(
            np.searchsorted(ACTIVITY_EDGES, a_day, side="right"), minlength=self.activity.size
        )

    def to_json(self) -> dict[str, Any]:
        return {"profiles": self.profiles, "events": int(self.hours.sum())}


def read(tenant: TenantRef, windows: Windows, *, actor: Actor) -> tuple[Side, Side]:
    """Of profiles that may be learned from. Memory is one profile's recent events, the catalogue's categories and the
    sample; without personalisation there is no sample."""
    with scope(tenant, actor=actor) as s:
        state = space.state(s)
        opt_in = state.privacy.basis == "opt_in"
        asked = profiles.with_consent(s, _GRANTED if opt_in else _REFUSED)
    category = _categories(tenant, actor)
    chosen = np.array([kind.number for kind in state.event_kinds.values() if kind.weight > 0], np.int64)
    width = (max((kind.number for kind in state.event_kinds.values()), default=-1) + 1, CATEGORIES + 2)
    sides = Side(_width=width), Side(_width=width)
    personal = state.privacy.personalisation == "on"
    for key, records in _by_profile(tenant, windows, actor):
        if (key in asked) is not opt_in:
            continue
        at = records["at"].astype(np.int64)
        for side, span in zip(sides, (windows.reference, windows.latest), strict=True):
            inside = records[span.holds(at)]
            if inside.size:
                side.add(inside, category)
                if personal and len(side.histories) < SAMPLE:
                    side.histories.append(_history(records[at < _end(span)], chosen))
    return sides


def _end(span: Span) -> int:
    return int(span.until.timestamp() * 1000)


def _history(records: Records, chosen: Longs) -> Longs:
    liked = records[np.isin(records["kind"], chosen)]
    return np.asarray(liked["item"][-LONGEST:], dtype=np.int64)


def _by_profile(tenant: TenantRef, windows: Windows, actor: Actor) -> Iterator[tuple[bytes, Records]]:
    chunks = timeline.recent(tenant, min(windows.reference.since, windows.latest.since), actor=actor)
    for key, parts in groupby(chunks, key=lambda chunk: chunk[0]):
        whole = np.concatenate([records for _key, records in parts])
        yield key, whole[np.argsort(whole["at"], kind="stable")]


def _categories(tenant: TenantRef, actor: Actor) -> Longs:
    """By item number: the number of its first category among the most frequent of the catalogue, CATEGORIES for another
    one, and one more for none."""
    first: dict[int, str] = {}
    after = (0, 0)
    while True:
        with scope(tenant, actor=actor) as s:
            page = catalog.changed_since(s, after[0], after_no=after[1], limit=_PAGE)
        if not page:
            break
        first |= {one.item_no: (one.item.categories or [""])[0] for one in page}
        after = (page[-1].version, page[-1].item_no)
    common = Counter(name for name in first.values() if name).most_common(CATEGORIES)
    numbers = {name: number for number, (name, _count) in enumerate(common)}
    table = np.full(max(first, default=0) + 1, CATEGORIES + 1, np.int64)
    for number, name in first.items():
        table[number] = numbers.get(name, CATEGORIES) if name else CATEGORIES + 1
    return table
