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

from recommender.dataset import Dataset, ItemContent
from recommender.dataset.cleaning import Cleaner, CleaningReport
from recommender.evaluation.slices import SegmentColumn
from recommender.features.encoders import FeatureTable
from recommender.features.specification import (
    DeniedAttributes,
    Feature,
    FeatureKind,
    FeatureRole,
    FeatureSpecification,
    normalize_name,
)
from recommender.features.tfidf import join_text_fields
from recommender.tenant_data import user_segments as tenant_data_user_segments
from recommender.tenant_data.user_segments import AttributeValues
from tenants.data.presets import list_denied_attributes
from tenants.data.queries import catalog, profiles, tenant_state, timeline
from tenants.data.queries.consent import allows_profiling, load_consent_filter, parse_consent
from tenants.data.records import Records
from tenants.data.types import EventKind, ItemInput, StoredItem
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

_PAGE_SIZE = 5_000
_PROGRESS_INTERVAL = 2_000
_NO_ATTRIBUTES: AttributeValues = ("",) * len(tenant_data_user_segments.SEGMENT_ATTRIBUTES)
_LABEL_SEPARATOR = re.compile("[:=：]")


@dataclass(frozen=True, slots=True)
class TrainingData:
    """`item_no[i]` is the catalogue number of the dataset's item i, ascending.

    `left_out` counts what was not learned from, by reason; `counted` is how many events the timeline held.
    `cleaning` is what the rules of `recommender.dataset.cleaning` took out; `left_out` holds their events as well.
    `labels` and `item_labels` are the groups of the dataset's users and items by which a model is also judged; figures
    of a group below `least_group` are not shown.
    """

    dataset: Dataset
    item_numbers: NDArray[np.int32]
    latest_event_at: datetime | None
    n_stored_events: int
    skipped_events: dict[str, int]
    cleaning: CleaningReport
    user_segments: tuple[SegmentColumn, ...] = ()
    item_segments: tuple[SegmentColumn, ...] = ()
    min_group_size: int = 1


@dataclass(frozen=True, slots=True)
class FeatureData:
    """What was stated about items or profiles, a column for each name, and what of it a model may read.

    `denied` are the names that were met and left out: neither they nor their values are in the table."""

    specification: FeatureSpecification
    table: FeatureTable
    denied_names: tuple[str, ...]


def build_item_text(item: ItemInput) -> str:
    """The text that content models read, the same in training and for items that arrive later."""
    return join_text_fields(
        title=item.title,
        description=item.description,
        categories=item.categories,
        tags=item.tags,
        brand=item.brand or "",
    )


def load_training_data(tenant: TenantRef, *, actor: Actor, report: Callable[[float], None]) -> TrainingData:
    """Everything of a tenant that a model may learn from; `report` hears the fraction done.

    Memory is 16 bytes an event plus the catalogue's texts.
    """
    with scope(tenant, actor=actor) as s:
        state = tenant_state.get_state(s)
        consent = load_consent_filter(s, state.privacy)
        expected = max(timeline.count_events(s), 1)
    item_no, texts, languages = _load_catalogue(tenant, actor)
    stated = tenant_data_user_segments.load_profile_attributes(tenant, actor=actor)
    rows = _InteractionBuilder(item_no, state.event_kinds, personalised=state.privacy.personalisation == "on")
    for ordinal, (key, records) in enumerate(timeline.scan_histories(tenant, actor=actor)):
        if consent.allows(key):
            rows.add_records(records, stated.get(key, _NO_ATTRIBUTES))
        else:
            rows.skip_records(records)
        if ordinal % _PROGRESS_INTERVAL == 0:
            report(min(rows.n_stored_events / expected, 1.0))
    return replace(
        rows.build_training_data(texts),
        item_segments=(tenant_data_user_segments.encode_column("item_language", languages),),
        min_group_size=state.privacy.report_min_count,
    )


def load_item_features(tenant: TenantRef, *, actor: Actor) -> FeatureData:
    """Of live items, in the order of `Source.item_no`. A field of the catalogue goes before an attribute of its name."""
    with scope(tenant, actor=actor) as s:
        state = tenant_state.get_state(s)
    never = list_denied_attributes(state.vertical, state.privacy)
    found = {
        stored.item_no: stored.item
        for page in _iter_item_pages(tenant, actor)
        for stored in page
        if stored.live
    }
    facts = _FeatureTableBuilder(never)
    for number in sorted(found):
        item = found.pop(number)
        fields = {name: getattr(item, name) for name in ("brand", "categories", "language", "price", "tags")}
        facts.add_row({**fields, **{n: v for n, v in item.attributes.items() if n not in fields}})
    return facts.build_feature_data("item")


def load_user_features(tenant: TenantRef, *, actor: Actor) -> FeatureData:
    """Of the profiles that may be learned from, in the order of their keys; of nobody without personalisation."""
    facts, after = None, b""
    while True:
        with scope(tenant, actor=actor) as s:
            state = tenant_state.get_state(s)
            facts = facts or _FeatureTableBuilder(list_denied_attributes(state.vertical, state.privacy))
            page = profiles.list_profiles(s, after=after, limit=_PAGE_SIZE)
        if not page or state.privacy.personalisation == "off":
            return facts.build_feature_data("user")
        for profile in page.values():
            if allows_profiling(state.privacy, parse_consent(profile)):
                facts.add_row({"language": profile.language, **profile.attributes})
        after = max(page)


def _load_catalogue(tenant: TenantRef, actor: Actor) -> tuple[NDArray[np.int32], list[str], list[str]]:
    """Numbers, texts and languages of live items, by number."""
    found: dict[int, tuple[str, str]] = {}
    for page in _iter_item_pages(tenant, actor):
        for stored in page:
            if stored.live:
                found[stored.item_no] = build_item_text(stored.item), sys.intern(stored.item.language or "")
    numbers = sorted(found)
    texts, languages = ([found[number][place] for number in numbers] for place in (0, 1))
    return np.asarray(numbers, dtype=np.int32), texts, languages


def _iter_item_pages(tenant: TenantRef, actor: Actor) -> Iterator[list[StoredItem]]:
    after = (0, 0)
    while True:
        with scope(tenant, actor=actor) as s:
            page = catalog.list_changed_items(s, after[0], after_no=after[1], limit=_PAGE_SIZE)
        if not page:
            return
        yield page
        after = (page[-1].version, page[-1].item_no)


class _FeatureTableBuilder:
    """Growing rows of facts by name; what is denied never enters."""

    def __init__(self, denied_attributes: tuple[str, ...]) -> None:
        self._denied_attributes, self._denied = denied_attributes, DeniedAttributes(denied_attributes)
        self._allowed_names: dict[str, bool] = {}
        self._names: dict[str, str] = {}
        self._rows: list[dict[str, object]] = []

    def add_row(self, attributes: Mapping[str, object]) -> None:
        """The first of two spellings of one name counts."""
        row: dict[str, object] = {}
        for name, value in attributes.items():
            key = normalize_name(name)
            if key and self._is_allowed(name) and value is not None and value != []:
                row.setdefault(key, self._drop_denied_labels(value) if isinstance(value, list) else value)
                self._names.setdefault(key, name)
        self._rows.append(row)

    def _drop_denied_labels(self, labels: list[str]) -> list[str]:
        """Without those that carry a denied name themselves, like "gender:female"."""
        parts = [(label, _LABEL_SEPARATOR.split(label, maxsplit=1)) for label in labels]
        return [label for label, part in parts if len(part) == 1 or self._is_allowed(part[0])]

    def _is_allowed(self, name: str) -> bool:
        if name not in self._allowed_names:
            self._allowed_names[name] = not self._denied.find_denied_match(name)
        return self._allowed_names[name]

    def build_feature_data(self, role: FeatureRole) -> FeatureData:
        table = {name: [row.get(key) for row in self._rows] for key, name in self._names.items()}
        features = tuple(
            Feature(name, role, _infer_feature_kind(values), personal=role == "user")
            for name, values in table.items()
        )
        denied = tuple(sorted(name for name, free in self._allowed_names.items() if not free))
        return FeatureData(FeatureSpecification(features, self._denied_attributes), table, denied)


def _infer_feature_kind(values: list[object]) -> FeatureKind:
    given = [value for value in values if value is not None]
    if any(isinstance(value, list) for value in given):
        return "tags"
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in given)
    return "numeric" if numbers else "categorical"


class _InteractionBuilder:
    """Growing columns of interactions, in order of profile and time.

    Without `linked` every event stands alone: what is popular can be learned, what one person did cannot.
    """

    def __init__(
        self, item_numbers: NDArray[np.int32], kinds: dict[str, EventKind], *, personalised: bool
    ) -> None:
        self._personalised = personalised
        self._item_numbers = item_numbers
        self._item_index = np.full(int(item_numbers.max(initial=0)) + 1, -1, dtype=np.int32)
        self._item_index[item_numbers] = np.arange(item_numbers.size, dtype=np.int32)
        self._kind_weights = np.zeros(
            max((k.number for k in kinds.values()), default=0) + 1, dtype=np.float32
        )
        for kind in kinds.values():
            self._kind_weights[kind.number] = kind.weight
        self._lengths, self._items = array("q"), array("i")
        self._timestamps, self._weights = array("q"), array("f")
        self.n_stored_events = 0
        self.skipped_events = {
            "without consent": 0,
            "kind without weight": 0,
            "dislike": 0,
            "item not live": 0,
        }
        self.skipped_events["immediate repetition"] = 0
        self._attribute_values: list[AttributeValues] = []

    def skip_records(self, records: Records) -> None:
        self.n_stored_events += records.size
        self.skipped_events["without consent"] += int(records.size)

    def add_records(self, records: Records, attribute_values: AttributeValues) -> None:
        self.n_stored_events += records.size
        weight = self._kind_weights[records["kind"]]
        number = records["item"].astype(np.int64)
        column = self._item_index[np.minimum(number, self._item_index.size - 1)]
        column[number >= self._item_index.size] = -1
        liked, known = weight > 0, column >= 0
        self.skipped_events["kind without weight"] += int((weight == 0).sum())
        self.skipped_events["dislike"] += int((weight < 0).sum())
        self.skipped_events["item not live"] += int((liked & ~known).sum())
        before = len(self._lengths)
        self._append_events(column[liked & known], records["at"][liked & known], weight[liked & known])
        self._attribute_values.extend(
            [attribute_values if self._personalised else _NO_ATTRIBUTES] * (len(self._lengths) - before)
        )

    def _append_events(
        self, items: NDArray[np.int32], timestamps: NDArray[np.int64], weight: NDArray[np.float32]
    ) -> None:
        """Immediate repetitions become one event: the first of them, with the greatest weight."""
        if not items.size:
            return
        starts = np.flatnonzero(np.r_[True, items[1:] != items[:-1]])
        self.skipped_events["immediate repetition"] += int(items.size - starts.size)
        self._lengths.extend([starts.size] if self._personalised else [1] * starts.size)
        self._items.frombytes(items[starts].tobytes())
        self._timestamps.frombytes(timestamps[starts].astype(np.int64).tobytes())
        self._weights.frombytes(np.maximum.reduceat(weight, starts).astype(np.float32).tobytes())

    def build_training_data(self, texts: list[str]) -> TrainingData:
        lengths = np.frombuffer(self._lengths, dtype=np.int64)
        stored = Dataset(
            n_users=int(lengths.size),
            n_items=int(self._item_numbers.size),
            indptr=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
            item=np.frombuffer(self._items, dtype=np.int32),
            timestamp=np.frombuffer(self._timestamps, dtype=np.int64),
            weight=np.frombuffer(self._weights, dtype=np.float32),
            content=ItemContent(tuple(texts)) if any(texts) else None,
            user_ids=tuple(map(str, range(lengths.size))) if any(map(any, self._attribute_values)) else (),
        )
        dataset, cleaning = Cleaner().clean(stored, now=datetime.now(UTC))
        for name, count in cleaning.count_removed_events().items():
            self.skipped_events[name] = self.skipped_events.get(name, 0) + count
        at, weight = dataset.timestamp, dataset.weight
        groups = tenant_data_user_segments.encode_segments(
            [self._attribute_values[int(row)] for row in dataset.user_ids]
        )
        dataset = replace(dataset, weight=weight / weight.mean() if weight.size else weight, user_ids=())
        until = datetime.fromtimestamp(int(at.max()) / 1000, UTC) if at.size else None
        return TrainingData(
            dataset, self._item_numbers, until, self.n_stored_events, self.skipped_events, cleaning, groups
        )
