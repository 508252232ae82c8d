"""The interactions and items an algorithm learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from recommender.types import Bools, DataError, Floats, Halves, Histories, Ints, Longs

Array = TypeVar("Array", bound=np.ndarray[Any, np.dtype[Any]])


@dataclass(frozen=True)
class ItemContent:
    """One text for each item, "" where nothing is known; compose it with features.text.compose_text."""

    texts: tuple[str, ...]

    @property
    def present(self) -> bool:
        return any(self.texts)


@dataclass(frozen=True)
class ItemOpinions:
    """What reviews say of each item, as numbers around zero; zero where nothing is known.

    regard float32 (items): praise above or below the catalogue's mean; agreement likewise, of how well reviews speak of
    what the item is described as; aspects float32 (items, len(names)) of each aspect, a battery or a fit. All are shrunk
    towards zero by how few people spoke."""

    names: tuple[str, ...]
    regard: Floats
    agreement: Floats
    aspects: Floats

    @property
    def present(self) -> bool:
        return bool(self.regard.any() or self.aspects.any())

    def columns(self) -> Floats:
        """float32 (items, 2 + len(names)): regard, agreement, then the aspects."""
        return np.column_stack([self.regard, self.agreement, self.aspects]).astype(np.float32)


@dataclass(frozen=True)
class Dataset:
    """Events grouped by user, in time order within a user.

    Users and items are numbers from zero. indptr int64 (users + 1), item int32 (n), at int64 milliseconds (n,
    zero where unknown), weight float32 (n). item_ids and user_ids are the outside names, or empty. look are vectors of the
    items' images, float (items, width), zero where there is none; links are what is stated of each item, as tokens.
    `ordered` is False where nothing is known of the order of a user's events but which is the last."""

    users: int
    items: int
    indptr: Longs
    item: Ints
    at: Longs
    weight: Floats
    content: ItemContent | None = None
    item_ids: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    look: Floats | Halves | None = None
    links: tuple[tuple[str, ...], ...] | None = None
    opinions: ItemOpinions | None = None
    ordered: bool = True

    def __post_init__(self) -> None:
        events = len(self.item)
        if len(self.indptr) != self.users + 1 or int(self.indptr[-1]) != events:
            raise DataError("The index of users does not match the events.")
        if len(self.at) != events or len(self.weight) != events:
            raise DataError("Items, times and weights of the events differ in length.")
        if events and (int(self.item.min()) < 0 or int(self.item.max()) >= self.items):
            raise DataError("An event names an item number outside the catalogue.")
        if self.content is not None and len(self.content.texts) != self.items:
            raise DataError("There must be exactly one text for each item.")
        if any(part is not None and len(part) != self.items for part in (self.look, self.links)):
            raise DataError("There must be exactly one look, and one list of links, for each item.")
        if self.opinions is not None and len(self.opinions.regard) != self.items:
            raise DataError("There must be exactly one row of opinions for each item.")
        for name in ("indptr", "item", "at", "weight"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @classmethod
    def from_sequences(
        cls,
        sequences: Sequence[Sequence[int]],
        *,
        items: int | None = None,
        content: ItemContent | None = None,
    ) -> Dataset:
        """Item numbers of each user in time order; `items` defaults to the highest number plus one."""
        rows = Histories.of(sequences)
        highest = int(rows.item.max()) + 1 if len(rows.item) else 0
        return cls(
            users=len(rows),
            items=highest if items is None else items,
            indptr=rows.indptr,
            item=rows.item,
            at=np.zeros(len(rows.item), np.int64),
            weight=rows.weight,
            content=content,
        )

    @classmethod
    def from_events(
        cls,
        user: Sequence[str],
        item: Sequence[str],
        *,
        at: Longs | None = None,
        weight: Floats | None = None,
        texts: Mapping[str, str] | None = None,
    ) -> Dataset:
        """Rows of (user, item[, milliseconds][, weight]) in any order; rows of equal time keep their order.

        The catalogue is every item of `texts` and of the events."""
        if len(user) != len(item):
            raise DataError("There must be one user for each item.")
        user_ids, user_no = numbered(user)
        item_ids, item_no = numbered([*item, *(texts or {})])
        item_no = item_no[: len(item)]
        times = np.zeros(len(item), np.int64) if at is None else at
        order = np.lexsort((times, user_no))
        counts = np.bincount(user_no, minlength=len(user_ids))
        described = None if texts is None else ItemContent(tuple(texts.get(name, "") for name in item_ids))
        return cls(
            users=len(user_ids),
            items=len(item_ids),
            indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64),
            item=item_no[order],
            at=times[order],
            weight=(np.ones(len(item), np.float32) if weight is None else weight)[order],
            content=described,
            item_ids=item_ids,
            user_ids=user_ids,
        )

    @property
    def events(self) -> int:
        return len(self.item)

    @property
    def timed(self) -> bool:
        """Whether the events carry times that tell them apart."""
        return self.events > 0 and int(self.at.min()) != int(self.at.max())

    @cached_property
    def histories(self) -> Histories:
        """Every user's events as the algorithms read them: immediate repetitions count once."""
        clean = self.raw_histories.known(self.items)
        return Histories(read_only(clean.indptr), read_only(clean.item), read_only(clean.weight))

    @cached_property
    def raw_histories(self) -> Histories:
        return Histories(self.indptr, self.item, self.weight)

    def keep(self, mask: Bools) -> Dataset:
        """The same users and catalogue without the events where mask is False."""
        rows = self.raw_histories.keep(mask)
        return replace(self, indptr=rows.indptr, item=rows.item, at=self.at[mask], weight=rows.weight)

    def describe(self) -> str:
        return f"{self.users:,} users, {self.items:,} items, {self.events:,} events"


def read_only(array: Array) -> Array:
    """A view that refuses writes: several algorithms read the same events one after the other."""
    view = array.view()
    view.flags.writeable = False
    return view


def numbered(names: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """Distinct names in order of first appearance, and the number of each given name."""
    numbers: dict[str, int] = {}
    coded = np.fromiter((numbers.setdefault(name, len(numbers)) for name in names), np.int32, len(names))
    return tuple(numbers), coded
