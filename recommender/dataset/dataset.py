"""The data that models learn from: events, item content and side data of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from recommender.types import (
    BoolArray,
    DataError,
    Float16Array,
    Float32Array,
    Histories,
    Int32Array,
    Int64Array,
    compute_indptr,
)

Array = TypeVar("Array", bound=np.ndarray[Any, np.dtype[Any]])


@dataclass(frozen=True)
class ItemContent:
    """One text for each item, "" where it is unknown; `item_text.join_text_fields` composes it."""

    texts: tuple[str, ...]

    @property
    def has_text(self) -> bool:
        """Whether any item has a text."""
        return any(self.texts)


@dataclass(frozen=True)
class ItemReviewFeatures:
    """Review features of each item, around zero; zero where an item has no reviews.

    mean_sentiment: float32 (items,), relative to the mean of the catalogue.
    relevance: float32 (items,), how well reviews match the item's description, relative to the mean.
    aspect_sentiment: float32 (items, len(aspect_names)), for example of the battery or the fit.
    All are shrunk towards zero for items with few reviewers.
    """

    aspect_names: tuple[str, ...]
    mean_sentiment: Float32Array
    relevance: Float32Array
    aspect_sentiment: Float32Array

    @property
    def has_values(self) -> bool:
        """Whether any item has review features."""
        return bool(self.mean_sentiment.any() or self.aspect_sentiment.any())

    def to_matrix(self) -> Float32Array:
        """float32 (items, 2 + len(aspect_names)): mean sentiment, relevance, then the aspects."""
        columns = [self.mean_sentiment, self.relevance, self.aspect_sentiment]
        return np.column_stack(columns).astype(np.float32)


@dataclass(frozen=True)
class Dataset:
    """Events grouped by user, in time order within a user (CSR), and side data of the items.

    n_users, n_items: users and items are numbers from zero.
    indptr: int64 (n_users + 1); the events of user u are indptr[u]:indptr[u + 1].
    item: int32 (events,), item numbers.
    timestamp: int64 (events,), milliseconds since 1970, 0 where unknown.
    weight: float32 (events,), strength of each event.
    content: texts of the items.
    item_ids, user_ids: external ids by number, or empty.
    image_embeddings: float (items, width), zero for an item without image.
    triple_tokens: tokens of the knowledge triples of each item.
    review_features: sentiment of each item's reviews.
    is_ordered: False where the order of a user's events is unknown, except for the last one.
    """

    n_users: int
    n_items: int
    indptr: Int64Array
    item: Int32Array
    timestamp: Int64Array
    weight: Float32Array
    content: ItemContent | None = None
    item_ids: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    image_embeddings: Float32Array | Float16Array | None = None
    triple_tokens: tuple[tuple[str, ...], ...] | None = None
    review_features: ItemReviewFeatures | None = None
    is_ordered: bool = True

    def __post_init__(self) -> None:
        n_events = len(self.item)
        if len(self.indptr) != self.n_users + 1 or int(self.indptr[-1]) != n_events:
            raise DataError("The index of users does not match the events.")
        if len(self.timestamp) != n_events or len(self.weight) != n_events:
            raise DataError("Items, times and weights of the events differ in length.")
        if n_events and (int(self.item.min()) < 0 or int(self.item.max()) >= self.n_items):
            raise DataError("An event names an item number outside the catalogue.")
        if self.content is not None and len(self.content.texts) != self.n_items:
            raise DataError("There must be exactly one text for each item.")
        if self.image_embeddings is not None and len(self.image_embeddings) != self.n_items:
            raise DataError("There must be exactly one image embedding for each item.")
        if self.triple_tokens is not None and len(self.triple_tokens) != self.n_items:
            raise DataError("There must be exactly one list of triple tokens for each item.")
        if self.review_features is not None and len(self.review_features.mean_sentiment) != self.n_items:
            raise DataError("There must be exactly one row of review features for each item.")
        # The dataclass is frozen; its arrays are replaced by views that refuse writes.
        for name in ("indptr", "item", "timestamp", "weight"):
            object.__setattr__(self, name, as_read_only(getattr(self, name)))

    @classmethod
    def from_sequences(
        cls,
        sequences: Sequence[Sequence[int]],
        *,
        n_items: int | None = None,
        content: ItemContent | None = None,
    ) -> Dataset:
        """A data set without timestamps from item numbers of each user in time order.

        `n_items` defaults to the highest item number plus one.
        """
        histories = Histories.from_lists(sequences)
        if n_items is None:
            n_items = int(histories.item.max(initial=-1)) + 1
        return cls(
            n_users=len(histories),
            n_items=n_items,
            indptr=histories.indptr,
            item=histories.item,
            timestamp=np.zeros(len(histories.item), np.int64),
            weight=histories.weight,
            content=content,
        )

    @classmethod
    def from_events(
        cls,
        user: Sequence[str],
        item: Sequence[str],
        *,
        timestamp: Int64Array | None = None,
        weight: Float32Array | None = None,
        texts: Mapping[str, str] | None = None,
    ) -> Dataset:
        """A data set from one row per event, in any order; rows of equal time keep their order.

        Args:
            user: external user ids.
            item: external item ids.
            timestamp: milliseconds since 1970; by default 0, so that the order of the rows is the order of the events.
            weight: strength of each event; by default 1.
            texts: text by item id. Its items belong to the catalogue even without events.

        Raises:
            DataError: the columns differ in length.
        """
        if len(user) != len(item):
            raise DataError("There must be one user for each item.")
        if timestamp is None:
            timestamp = np.zeros(len(item), np.int64)
        if weight is None:
            weight = np.ones(len(item), np.float32)
        user_ids, user_number = encode_ids(user)
        # Items of events get the lower numbers; items that only have a text follow.
        item_ids, catalogue_number = encode_ids([*item, *(texts or {})])
        item_number = catalogue_number[: len(item)]
        content = None
        if texts is not None:
            content = ItemContent(tuple(texts.get(item_id, "") for item_id in item_ids))
        # By user, then by time; lexsort is stable and its last key is the first criterion.
        order = np.lexsort((timestamp, user_number))
        return cls(
            n_users=len(user_ids),
            n_items=len(item_ids),
            indptr=compute_indptr(np.bincount(user_number, minlength=len(user_ids))),
            item=item_number[order],
            timestamp=timestamp[order],
            weight=weight[order],
            content=content,
            item_ids=item_ids,
            user_ids=user_ids,
        )

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.item)

    @property
    def has_timestamps(self) -> bool:
        """Whether the events have different timestamps."""
        return self.n_events > 0 and int(self.timestamp.min()) != int(self.timestamp.max())

    @cached_property
    def histories(self) -> Histories:
        """The events of all users without immediate repetitions, as models read them."""
        clean = self.raw_histories.drop_unknown_and_repeats(self.n_items)
        return Histories(as_read_only(clean.indptr), as_read_only(clean.item), as_read_only(clean.weight))

    @cached_property
    def raw_histories(self) -> Histories:
        """The events of all users, with immediate repetitions."""
        return Histories(self.indptr, self.item, self.weight)

    def filter_events(self, mask: BoolArray) -> Dataset:
        """The same users and items without the events where `mask` is False."""
        rows = self.raw_histories.filter_events(mask)
        return replace(
            self,
            indptr=rows.indptr,
            item=rows.item,
            timestamp=self.timestamp[mask],
            weight=rows.weight,
        )

    def describe_size(self) -> str:
        """Counts of users, items and events as text."""
        return f"{self.n_users:,} users, {self.n_items:,} items, {self.n_events:,} events"


def as_read_only(array: Array) -> Array:
    """A view that refuses writes, because several models read the same arrays."""
    view = array.view()
    view.flags.writeable = False
    return view


def encode_ids(names: Sequence[str]) -> tuple[tuple[str, ...], Int32Array]:
    """Distinct ids in order of first appearance, and the number of each id of `names`, int32."""
    numbers: dict[str, int] = {}
    # setdefault assigns the next number to an id at its first appearance.
    codes = np.fromiter((numbers.setdefault(name, len(numbers)) for name in names), np.int32, len(names))
    return tuple(numbers), codes
