"""Loads a tenant's interactions as a `Dataset`: the only place where profiles and items become users and items of the literature.

Only data that may be used for training leaves the timeline: events of profiles whose consent allows it, of kinds with a positive
weight, and without any identity but an ordinal number.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import Dataset
from recommender.dataset.cleaning_report import CleaningReport
from recommender.evaluation.slices import SegmentColumn
from recommender.tenant_data.interaction_builder import InteractionBuilder
from recommender.tenant_data.item_text import build_item_text
from recommender.tenant_data.paging import iter_item_pages
from recommender.tenant_data.user_segments import (
    NO_VALUES,
    encode_column,
    encode_segments,
    load_profile_attributes,
)
from tenants.data.queries import tenant_state, timeline
from tenants.data.queries.consent import load_consent_filter
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

_PROGRESS_INTERVAL = 2_000


@dataclass(
    frozen=True,
    slots=True,
)
class TrainingData:
    """What a training reads of a tenant.

    Attributes:
        dataset: the cleaned interactions and item texts.
        item_numbers: int32 (items), the catalogue number of the dataset's item i, ascending.
        latest_event_at: the time of the newest event in the dataset.
        n_stored_events: the number of events in the timeline.
        skipped_events: counts of events that are not in the dataset, by reason; includes those that cleaning removed.
        cleaning: what the rules of `recommender.dataset.cleaning` removed.
        user_segments: attributes of the dataset's users, for sliced evaluation.
        item_segments: the same of its items.
        min_group_size: metrics of smaller groups are not shown.
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


@dataclass(
    frozen=True,
    slots=True,
)
class _Catalogue:
    """Live items by ascending number; parallel arrays."""

    item_numbers: NDArray[np.int32]
    texts: list[str]
    languages: list[str]


def load_training_data(tenant: TenantRef, *, actor: Actor, report: Callable[[float], None]) -> TrainingData:
    """Loads everything of a tenant that models may be trained on.

    Without personalisation every event becomes a user of its own, so that popularity can be learned but no behaviour.
    Memory is 16 bytes for each event plus the catalogue's texts.

    Args:
        tenant: the tenant.
        actor: recorded with each scope.
        report: is called with the completed fraction, 0 to 1.
    """
    with scope(tenant, actor=actor) as s:
        state = tenant_state.get_state(s)
        consent = load_consent_filter(s, state.privacy)
        expected_events = max(timeline.count_events(s), 1)
    catalogue = _load_catalogue(tenant, actor)
    attributes_by_key = load_profile_attributes(tenant, actor=actor)
    is_personalised = state.privacy.personalisation == "on"
    builder = InteractionBuilder(catalogue.item_numbers, state.event_kinds, is_personalised=is_personalised)
    for ordinal, (key, records) in enumerate(timeline.scan_histories(tenant, actor=actor)):
        if consent.allows(key):
            builder.add_records(records, attributes_by_key.get(key, NO_VALUES))
        else:
            builder.skip_records(records)
        if ordinal % _PROGRESS_INTERVAL == 0:
            report(min(builder.n_stored_events / expected_events, 1.0))
    interactions = builder.build_interactions(catalogue.texts)
    return TrainingData(
        dataset=_normalize_weights(interactions.dataset),
        item_numbers=catalogue.item_numbers,
        latest_event_at=interactions.latest_event_at,
        n_stored_events=builder.n_stored_events,
        skipped_events=builder.skipped_events,
        cleaning=interactions.cleaning,
        user_segments=encode_segments(interactions.user_attributes),
        item_segments=(encode_column("item_language", catalogue.languages),),
        min_group_size=state.privacy.report_min_count,
    )


def _normalize_weights(dataset: Dataset) -> Dataset:
    """Scales event weights to a mean of 1, so that hyper-parameters do not depend on the tenant's scale."""
    if not dataset.weight.size:
        return dataset
    return replace(dataset, weight=dataset.weight / dataset.weight.mean())


def _load_catalogue(tenant: TenantRef, actor: Actor) -> _Catalogue:
    texts: dict[int, str] = {}
    languages: dict[int, str] = {}
    for page in iter_item_pages(tenant, actor=actor):
        for stored in page:
            if stored.live:
                texts[stored.item_no] = build_item_text(stored.item)
                # Interned: a catalogue has few languages and many items.
                languages[stored.item_no] = sys.intern(stored.item.language or "")
    numbers = sorted(texts)
    return _Catalogue(
        item_numbers=np.asarray(numbers, dtype=np.int32),
        texts=[texts[number] for number in numbers],
        languages=[languages[number] for number in numbers],
    )
