"""Builds the columns of a `Dataset` from the events of one profile after another."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from recommender.dataset import Dataset, ItemContent
from recommender.dataset.cleaning import Cleaner
from recommender.dataset.cleaning_report import CleaningReport
from recommender.tenant_data.item_positions import ItemPositions
from recommender.tenant_data.user_segments import NO_VALUES, AttributeValues
from tenants.data.records import Records
from tenants.data.types import EventKind


@dataclass(
    frozen=True,
    slots=True,
)
class Interactions:
    """The cleaned interactions; `user_attributes` has one entry for each user of the dataset."""

    dataset: Dataset
    cleaning: CleaningReport
    latest_event_at: datetime | None
    user_attributes: list[AttributeValues]


class InteractionBuilder:
    """Collects interactions in order of profile and time.

    Without personalisation every event becomes a user of its own, without attributes.
    """

    def __init__(
        self, item_numbers: NDArray[np.int32], kinds: dict[str, EventKind], *, is_personalised: bool
    ) -> None:
        self._is_personalised = is_personalised
        self._n_items = int(item_numbers.size)
        self._positions = ItemPositions(item_numbers)
        largest_kind = max((kind.number for kind in kinds.values()), default=0)
        self._kind_weights = np.zeros(largest_kind + 1, dtype=np.float32)
        for kind in kinds.values():
            self._kind_weights[kind.number] = kind.weight
        # array.array grows in place and holds 4 or 8 bytes for each number; a list would hold a pointer and an object.
        self._lengths = array("q")
        self._items = array("i")
        self._timestamps = array("q")
        self._weights = array("f")
        self._attributes: list[AttributeValues] = []
        self.n_stored_events = 0
        self.skipped_events = {
            "without consent": 0,
            "kind without weight": 0,
            "dislike": 0,
            "item not live": 0,
            "immediate repetition": 0,
        }

    def skip_records(self, records: Records) -> None:
        """Counts the events of a profile whose consent does not allow their use."""
        self.n_stored_events += records.size
        self.skipped_events["without consent"] += int(records.size)

    def add_records(self, records: Records, attribute_values: AttributeValues) -> None:
        """Adds the events of one profile, oldest first."""
        self.n_stored_events += records.size
        weight = self._kind_weights[records["kind"]]
        positions = self._positions.find(records["item"])
        is_positive = weight > 0
        is_live = positions >= 0
        self.skipped_events["kind without weight"] += int((weight == 0).sum())
        self.skipped_events["dislike"] += int((weight < 0).sum())
        self.skipped_events["item not live"] += int((is_positive & ~is_live).sum())
        is_used = is_positive & is_live
        n_users_before = len(self._lengths)
        self._append_events(positions[is_used], records["at"][is_used], weight[is_used])
        n_new_users = len(self._lengths) - n_users_before
        values = attribute_values if self._is_personalised else NO_VALUES
        self._attributes.extend([values] * n_new_users)

    def build_interactions(self, texts: list[str]) -> Interactions:
        """Builds and cleans the dataset; counts what cleaning removed in `skipped_events`. `texts` are those of all items."""
        dataset, cleaning = Cleaner().clean(self._build_raw_dataset(texts), now=datetime.now(UTC))
        for name, count in cleaning.count_removed_events().items():
            self.skipped_events[name] = self.skipped_events.get(name, 0) + count
        latest_event_at = None
        if dataset.timestamp.size:
            latest_event_at = datetime.fromtimestamp(int(dataset.timestamp.max()) / 1000, UTC)
        return Interactions(
            dataset=replace(dataset, user_ids=()),
            cleaning=cleaning,
            latest_event_at=latest_event_at,
            user_attributes=[self._attributes[int(row)] for row in dataset.user_ids],
        )

    def _append_events(
        self, items: NDArray[np.int32], timestamps: NDArray[np.int64], weight: NDArray[np.float32]
    ) -> None:
        """Immediate repetitions of an item become one event: with the time of the first and the largest weight."""
        if not items.size:
            return
        # The first event of each run of equal items.
        starts = np.flatnonzero(np.r_[True, items[1:] != items[:-1]])
        self.skipped_events["immediate repetition"] += int(items.size - starts.size)
        self._lengths.extend([starts.size] if self._is_personalised else [1] * starts.size)
        self._items.frombytes(items[starts].tobytes())
        self._timestamps.frombytes(timestamps[starts].astype(np.int64).tobytes())
        # reduceat takes the maximum of each run, from its start to the next one's.
        self._weights.frombytes(np.maximum.reduceat(weight, starts).astype(np.float32).tobytes())

    def _build_raw_dataset(self, texts: list[str]) -> Dataset:
        lengths = np.frombuffer(self._lengths, dtype=np.int64)
        user_ids: tuple[str, ...] = ()
        if any(any(values) for values in self._attributes):
            # Row numbers as ids: cleaning keeps the ids of the users it keeps, so their attributes can be found afterwards.
            user_ids = tuple(str(row) for row in range(lengths.size))
        return Dataset(
            n_users=int(lengths.size),
            n_items=self._n_items,
            indptr=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
            item=np.frombuffer(self._items, dtype=np.int32),
            timestamp=np.frombuffer(self._timestamps, dtype=np.int64),
            weight=np.frombuffer(self._weights, dtype=np.float32),
            content=ItemContent(tuple(texts)) if any(texts) else None,
            user_ids=user_ids,
        )
