"""The one place where profiles and items become the literature's users and items.

Only what may be learned from leaves the timeline: profiles that consented as the tenant's basis asks, event
kinds with a weight above zero, and no identity but an ordinal number.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from recommender import labels
from recommender.dataset import Dataset, ItemContent
from recommender.dataset.cleaning import Cleaner, CleaningReport
from recommender.features.encoders import Table
from recommender.features.specification import Denials, Feature, Kind, Role, Specification, same_name
from recommender.features.text import compose_text
from recommender.labels import Label, Stated
from tenants.data.presets import never_features
from tenants.data.queries import catalog, profiles, space, timeline
from tenants.data.records import Records
from tenants.data.types import EventKind, ItemInput, StoredItem
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

_GRANTED, _REFUSED = 1, 2
_PAGE = 5_000
_EVERY = 2_000
_NOTHING_STATED: Stated = ("",) * len(labels.NAMES)
_MARK = re.compile("[:=：]")


@dataclass(frozen=True, slots=True)
class Source:
    """`item_no[i]` is the catalogue number of the dataset's item i, ascending.

    `left_out` counts what was not learned from, by reason; `counted` is how many events the timeline held.
    `cleaning` is what the rules of `recommender.dataset.cleaning` took out; `left_out` holds their events as well.
    `labels` and `item_labels` are the groups of the dataset's users and items by which a model is also judged; figures
    of a group below `least_group` are not shown.
    """

    dataset: Dataset
    item_no: NDArray[np.int32]
    data_until: datetime | None
    counted: int
    left_out: dict[str, int]
    cleaning: CleaningReport
    labels: tuple[Label, ...] = ()
    item_labels: tuple[Label, ...] = ()
    least_group: int = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """What was stated about items or profiles, a column for each name, and what of it a model may read.

    `denied` are the names that were met and left out: neither they nor their values are in the table."""

    specification: Specification
    table: Table
    denied: tuple[str, ...]


def text_of(item: ItemInput) -> str:
    """The text that content models read, the same in training and for items that arrive later."""
    return compose_text(
        title=item.title,
        description=item.description,
        categories=item.categories,
        tags=item.tags,
        brand=item.brand or "",
    )


def load(tenant: TenantRef, *, actor: Actor, report: Callable[[float], None]) -> Source:
    """Everything of a tenant that a model may learn from; `report` hears the fraction done.

    Memory is 16 bytes an event plus the catalogue's texts.
    """
    with scope(tenant, actor=actor) as s:
        state = space.state(s)
        opt_in = state.privacy.basis == "opt_in"
        asked = profiles.with_consent(s, _GRANTED if opt_in else _REFUSED)
        expected = max(timeline.total(s), 1)
    item_no, texts, languages = _catalogue(tenant, actor)
    stated = labels.of_profiles(tenant, actor=actor)
    rows = _Rows(item_no, state.event_kinds, linked=state.privacy.personalisation == "on")
    for ordinal, (key, records) in enumerate(timeline.scan(tenant, actor=actor)):
        if (key in asked) is opt_in:
            rows.add(records, stated.get(key, _NOTHING_STATED))
        else:
            rows.refuse(records)
        if ordinal % _EVERY == 0:
            report(min(rows.counted / expected, 1.0))
    return replace(
        rows.finished(texts),
        item_labels=(labels.column("item_language", languages),),
        least_group=state.privacy.report_minimum_count,
    )


def item_facts(tenant: TenantRef, *, actor: Actor) -> Facts:
    """Of live items, in the order of `Source.item_no`. A field of the catalogue goes before an attribute of its name."""
    with scope(tenant, actor=actor) as s:
        state = space.state(s)
    never = never_features(state.vertical, state.privacy)
    found = {stored.item_no: stored.item for page in _items(tenant, actor) for stored in page if stored.live}
    facts = _FactTable(never)
    for number in sorted(found):
        item = found.pop(number)
        fields = {name: getattr(item, name) for name in ("brand", "categories", "language", "price", "tags")}
        facts.add({**fields, **{n: v for n, v in item.attributes.items() if n not in fields}})
    return facts.finished("item")


def profile_facts(tenant: TenantRef, *, actor: Actor) -> Facts:
    """Of the profiles that may be learned from, in the order of their keys; of nobody without personalisation."""
    facts, after = None, b""
    while True:
        with scope(tenant, actor=actor) as s:
            state = space.state(s)
            facts = facts or _FactTable(never_features(state.vertical, state.privacy))
            page = profiles.page(s, after=after, limit=_PAGE)
        if not page or state.privacy.personalisation == "off":
            return facts.finished("user")
        opt_in = state.privacy.basis == "opt_in"
        for profile in page.values():
            if profile.consent == "granted" if opt_in else profile.consent != "refused":
                facts.add({"language": profile.language, **profile.attributes})
        after = max(page)


def _catalogue(tenant: TenantRef, actor: Actor) -> tuple[NDArray[np.int32], list[str], list[str]]:
    """Numbers, texts and languages of live items, by number."""
    found: dict[int, tuple[str, str]] = {}
    for page in _items(tenant, actor):
        for stored in page:
            if stored.live:
                found[stored.item_no] = text_of(stored.item), sys.intern(stored.item.language or "")
    numbers = sorted(found)
    texts, languages = ([found[number][place] for number in numbers] for place in (0, 1))
    return np.asarray(numbers, dtype=np.int32), texts, languages


def _items(tenant: TenantRef, actor: Actor) -> Iterator[list[StoredItem]]:
    after = (0, 0)
    while True:
        with scope(tenant, actor=actor) as s:
            page = catalog.changed_since(s, after[0], after_no=after[1], limit=_PAGE)
        if not page:
            return
        yield page
        after = (page[-1].version, page[-1].item_no)


class _FactTable:
    """Growing rows of facts by name; what is denied never enters."""

    def __init__(self, never: tuple[str, ...]) -> None:
        self._never, self._denials = never, Denials(never)
        self._free: dict[str, bool] = {}
        self._names: dict[str, str] = {}
        self._rows: list[dict[str, object]] = []

    def add(self, stated: Mapping[str, object]) -> None:
        """The first of two spellings of one name counts."""
        row: dict[str, object] = {}
        for name, value in stated.items():
            key = same_name(name)
            if key and self._may(name) and value is not None and value != []:
                row.setdefault(key, self._labels(value) if isinstance(value, list) else value)
                self._names.setdefault(key, name)
        self._rows.append(row)

    def _labels(self, labels: list[str]) -> list[str]:
        """Without those that carry a denied name themselves, like "gender:female"."""
        parts = [(label, _MARK.split(label, maxsplit=1)) for label in labels]
        return [label for label, part in parts if len(part) == 1 or self._may(part[0])]

    def _may(self, name: str) -> bool:
        if name not in self._free:
            self._free[name] = not self._denials.reason(name)
        return self._free[name]

    def finished(self, role: Role) -> Facts:
        table = {name: [row.get(key) for row in self._rows] for key, name in self._names.items()}
        features = tuple(
            Feature(name, role, _kind_of(values), personal=role == "user") for name, values in table.items()
        )
        denied = tuple(sorted(name for name, free in self._free.items() if not free))
        return Facts(Specification(features, self._never), table, denied)


def _kind_of(values: list[object]) -> Kind:
    given = [value for value in values if value is not None]
    if any(isinstance(value, list) for value in given):
        return "tags"
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in given)
    return "numeric" if numbers else "categorical"


class _Rows:
    """Growing columns of interactions, in order of profile and time.

    Without `linked` every event stands alone: what is popular can be learned, what one person did cannot.
    """

    def __init__(self, item_no: NDArray[np.int32], kinds: dict[str, EventKind], *, linked: bool) -> None:
        self._linked = linked
        self._item_no = item_no
        self._column = np.full(int(item_no.max(initial=0)) + 1, -1, dtype=np.int32)
        self._column[item_no] = np.arange(item_no.size, dtype=np.int32)
        self._weight = np.zeros(max((k.number for k in kinds.values()), default=0) + 1, dtype=np.float32)
        for kind in kinds.values():
            self._weight[kind.number] = kind.weight
        self._lengths, self._items = array("q"), array("i")
        self._at, self._weights = array("q"), array("f")
        self.counted = 0
        self.left_out = {"without consent": 0, "kind without weight": 0, "dislike": 0, "item not live": 0}
        self.left_out["immediate repetition"] = 0
        self._stated: list[Stated] = []

    def refuse(self, records: Records) -> None:
        self.counted += records.size
        self.left_out["without consent"] += int(records.size)

    def add(self, records: Records, stated: Stated) -> None:
        self.counted += records.size
        weight = self._weight[records["kind"]]
        number = records["item"].astype(np.int64)
        column = self._column[np.minimum(number, self._column.size - 1)]
        column[number >= self._column.size] = -1
        liked, known = weight > 0, column >= 0
        self.left_out["kind without weight"] += int((weight == 0).sum())
        self.left_out["dislike"] += int((weight < 0).sum())
        self.left_out["item not live"] += int((liked & ~known).sum())
        before = len(self._lengths)
        self._append(column[liked & known], records["at"][liked & known], weight[liked & known])
        self._stated.extend([stated if self._linked else _NOTHING_STATED] * (len(self._lengths) - before))

    def _append(self, items: NDArray[np.int32], at: NDArray[np.int64], weight: NDArray[np.float32]) -> None:
        """Immediate repetitions become one event: the first of them, with the greatest weight."""
        if not items.size:
            return
        starts = np.flatnonzero(np.r_[True, items[1:] != items[:-1]])
        self.left_out["immediate repetition"] += int(items.size - starts.size)
        self._lengths.extend([starts.size] if self._linked else [1] * starts.size)
        self._items.frombytes(items[starts].tobytes())
        self._at.frombytes(at[starts].astype(np.int64).tobytes())
        self._weights.frombytes(np.maximum.reduceat(weight, starts).astype(np.float32).tobytes())

    def finished(self, texts: list[str]) -> Source:
        lengths = np.frombuffer(self._lengths, dtype=np.int64)
        stored = Dataset(
            users=int(lengths.size),
            items=int(self._item_no.size),
            indptr=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
            item=np.frombuffer(self._items, dtype=np.int32),
            at=np.frombuffer(self._at, dtype=np.int64),
            weight=np.frombuffer(self._weights, dtype=np.float32),
            content=ItemContent(tuple(texts)) if any(texts) else None,
            user_ids=tuple(map(str, range(lengths.size))) if any(map(any, self._stated)) else (),
        )
        dataset, cleaning = Cleaner().clean(stored, now=datetime.now(UTC))
        for name, count in cleaning.removed().items():
            self.left_out[name] = self.left_out.get(name, 0) + count
        at, weight = dataset.at, dataset.weight
        groups = labels.columns([self._stated[int(row)] for row in dataset.user_ids])
        dataset = replace(dataset, weight=weight / weight.mean() if weight.size else weight, user_ids=())
        until = datetime.fromtimestamp(int(at.max()) / 1000, UTC) if at.size else None
        return Source(dataset, self._item_no, until, self.counted, self.left_out, cleaning, groups)
