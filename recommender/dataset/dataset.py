"""The interactions and items an algorithm learns from."""

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
)

Array = TypeVar("Array", bound=np.ndarray[Any, np.dtype[Any]])


@dataclass(frozen=True)
class ItemContent:
    """One text for each item, "" where nothing is known; compose it with features.text.compose_text."""

    texts: tuple[str, ...]

    @property
    def has_text(self) -> bool:
        return any(self.texts)


@dataclass(frozen=True)
class ItemReviewFeatures:
    """What reviews say of each item, as numbers around zero; zero where nothing is known.

    regard float32 (items): praise above or below the catalogue's mean; agreement likewise, of how well reviews speak of
    what the item is described as; aspects float32 (items, len(names)) of each aspect, a battery or a fit. All are shrunk
    towards zero by how few people spoke."""

    aspect_names: tuple[str, ...]
    mean_sentiment: Float32Array
    relevance: Float32Array
    aspect_sentiment: Float32Array

    @property
    def has_values(self) -> bool:
        return bool(self.mean_sentiment.any() or self.aspect_sentiment.any())

    def to_matrix(self) -> Float32Array:
        """float32 (items, 2 + len(names)): regard, agreement, then the aspects."""
        return np.column_stack([self.mean_sentiment, self.relevance, self.aspect_sentiment]).astype(
            np.float32
        )


@dataclass(frozen=True)
class Dataset:
    """Events grouped by user, in time order within a user.

    Users and items are numbers from zero. indptr int64 (users + 1), item int32 (n), at int64 milliseconds (n,
    zero where unknown), weight float32 (n). item_ids and user_ids are the outside names, or empty. look are vectors of the
    items' images, float (items, width), zero where there is none; links are what is stated of each item, as tokens.
    `ordered` is False where nothing is known of the order of a user's events but which is the last."""

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
        events = len(self.item)
        if len(self.indptr) != self.n_users + 1 or int(self.indptr[-1]) != events:
            raise DataError("The index of users does not match the events.")
        if len(self.timestamp) != events or len(self.weight) != events:
            raise DataError("Items, times and weights of the events differ in length.")
        if events and (int(self.item.min()) < 0 or int(self.item.max()) >= self.n_items):
            raise DataError("An event names an item number outside the catalogue.")
        if self.content is not None and len(self.content.texts) != self.n_items:
            raise DataError("There must be exactly one text for each item.")
        if any(
            part is not None and len(part) != self.n_items
            for part in (self.image_embeddings, self.triple_tokens)
        ):
            raise DataError("There must be exactly one look, and one list of links, for each item.")
        if self.review_features is not None and len(self.review_features.mean_sentiment) != self.n_items:
            raise DataError("There must be exactly one row of opinions for each item.")
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
        """Item numbers of each user in time order; `items` defaults to the highest number plus one."""
        rows = Histories.from_lists(sequences)
        highest = int(rows.item.max()) + 1 if len(rows.item) else 0
        return cls(
            n_users=len(rows),
            n_items=highest if n_items is None else n_items,
            indptr=rows.indptr,
            item=rows.item,
            timestamp=np.zeros(len(rows.item), np.int64),
            weight=rows.weight,
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
        """Rows of (user, item[, milliseconds][, weight]) in any order; rows of equal time keep their order.

        The catalogue is every item of `texts` and of the events."""
        if len(user) != len(item):
            raise DataError("There must be one user for each item.")
        user_ids, user_no = encode_ids(user)
        item_ids, item_no = encode_ids([*item, *(texts or {})])
        item_no = item_no[: len(item)]
        times = np.zeros(len(item), np.int64) if timestamp is None else timestamp
        order = np.lexsort((times, user_no))
        counts = np.bincount(user_no, minlength=len(user_ids))
        described = None if texts is None else ItemContent(tuple(texts.get(name, "") for name in item_ids))
        return cls(
            n_users=len(user_ids),
            n_items=len(item_ids),
            indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64),
            item=item_no[order],
            timestamp=times[order],
            weight=(np.ones(len(item), np.float32) if weight is None else weight)[order],
            content=described,
            item_ids=item_ids,
            user_ids=user_ids,
        )

    @property
    def n_events(self) -> int:
        return len(self.item)

    @property
    def has_timestamps(self) -> bool:
        """Whether the events carry times that tell them apart."""
        return self.n_events > 0 and int(self.timestamp.min()) != int(self.timestamp.max())

    @cached_property
    def histories(self) -> Histories:
        """Every user's events as the algorithms read them: immediate repetitions count once."""
        clean = self.raw_histories.drop_unknown_and_repeats(self.n_items)
        return Histories(as_read_only(clean.indptr), as_read_only(clean.item), as_read_only(clean.weight))

    @cached_property
    def raw_histories(self) -> Histories:
        return Histories(self.indptr, self.item, self.weight)

    def filter_events(self, mask: BoolArray) -> Dataset:
        """The same users and catalogue without the events where mask is False."""
        rows = self.raw_histories.filter_events(mask)
        return replace(
            self, indptr=rows.indptr, item=rows.item, timestamp=self.timestamp[mask], weight=rows.weight
        )

    def describe_size(self) -> str:
        return f"{self.n_users:,} users, {self.n_items:,} items, {self.n_events:,} events"


def as_read_only(array: Array) -> Array:
    """A view that refuses writes: several algorithms read the same events one after the other."""
    view = array.view()
    view.flags.writeable = False
    return view


def encode_ids(names: Sequence[str]) -> tuple[tuple[str, ...], Int32Array]:
    """Distinct names in order of first appearance, and the number of each given name."""
    numbers: dict[str, int] = {}
    coded = np.fromiter((numbers.setdefault(name, len(numbers)) for name in names), np.int32, len(names))
    return tuple(numbers), coded
