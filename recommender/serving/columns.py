"""A tenant's catalogue as columns: what filters need, no texts. Immutable; a change makes a new one.

A slot is a position in all arrays. The first slots are the active model's columns in the model's order, so
that scores need no translation; items the model has not seen follow in order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recommender.serving.filters import (
    ATTRIBUTE,
    FIELDS,
    Condition,
    Filter,
    is_number,
    kind,
    values_of,
)
from tenants.data.types import ItemInput, Scalar, StoredItem

Bools = NDArray[np.bool_]
Fact = tuple[str, str, Scalar]


@dataclass(frozen=True, slots=True)
class Columns:
    """`facts` and `fact_slots` are parallel, sorted by fact: the inverted index of every non-number value.

    `slot_of` maps an item number to its slot, -1 for none. `read_to` is the (version, item number) of
    the last change taken.
    """

    read_to: tuple[int, int]
    item_no: NDArray[np.int32]
    slot_of: NDArray[np.int32]
    live: Bools
    available: Bools
    open: Bools
    numbers: dict[str, NDArray[np.float64]]
    facts: NDArray[np.int32]
    fact_slots: NDArray[np.int32]
    vocabulary: dict[Fact, int] = field(repr=False)

    @property
    def slots(self) -> int:
        return int(self.item_no.size)

    @property
    def nbytes(self) -> int:
        arrays = [self.item_no, self.slot_of, self.live, self.facts, self.fact_slots]
        return sum(a.nbytes for a in [*arrays, *self.numbers.values()]) + 200 * len(self.vocabulary)

    def known(self, item_numbers: NDArray[np.int64]) -> Bools:
        """Which of the item numbers have a slot."""
        found = item_numbers < self.slot_of.size
        found[found] = self.slot_of[item_numbers[found]] >= 0
        return found

    def slots_of(self, item_numbers: NDArray[np.int64]) -> NDArray[np.int32]:
        """Slots of those item numbers that have one, in the order given."""
        return self.slot_of[item_numbers[self.known(item_numbers)]]

    def mask(self, wanted: Filter | None) -> Bools:
        """Which slots may be shown. What is unavailable is shown only to a filter that asks for it."""
        allowed = (self.live if wanted and wanted.names("available") else self.open).copy()
        for condition in wanted.conditions if wanted else ():
            allowed &= self._matches(condition)
        return allowed

    def _matches(self, condition: Condition) -> Bools:
        found = np.zeros(self.slots, dtype=bool)
        numbers = self.numbers.get(condition.field)
        if condition.bounds:
            return found if numbers is None else _within(numbers, condition)
        for value in condition.among:
            if not is_number(value):
                found[self._with_fact((condition.field, kind(value).__name__, value))] = True
            elif numbers is not None:
                found |= numbers == float(value)
        return found

    def _with_fact(self, fact: Fact) -> NDArray[np.int32]:
        number = self.vocabulary.get(fact, -1)
        low, high = np.searchsorted(self.facts, [number, number + 1])
        return self.fact_slots[low:high]


def empty(order: Sequence[int] | NDArray[np.integer] = ()) -> Columns:
    """No items yet, with the slots of `order` (a model's columns) reserved and shut."""
    numbers = np.asarray(order, dtype=np.int32)
    return Columns(
        read_to=(0, 0),
        item_no=numbers,
        slot_of=_positions(numbers),
        live=np.zeros(numbers.size, dtype=bool),
        available=np.zeros(numbers.size, dtype=bool),
        open=np.zeros(numbers.size, dtype=bool),
        numbers={},
        facts=np.empty(0, dtype=np.int32),
        fact_slots=np.empty(0, dtype=np.int32),
        vocabulary={},
    )


def updated(old: Columns, changes: Sequence[StoredItem]) -> Columns:
    """A copy with the changes in place; unseen items get slots at the end, in the order given."""
    if not changes:
        return old
    grown = _grown(old, [change.item_no for change in changes])
    slots = grown.slot_of[[change.item_no for change in changes]]
    grown.live[slots] = [change.live for change in changes]
    grown.available[slots] = [change.item.available for change in changes]
    _set_numbers(grown, slots, [change.item for change in changes])
    facts, fact_slots = _merged_facts(grown, slots, [change.item for change in changes])
    read_to = max(old.read_to, *((change.version, change.item_no) for change in changes))
    shown = grown.live & grown.available
    return replace(grown, read_to=read_to, facts=facts, fact_slots=fact_slots, open=shown)


def _grown(old: Columns, item_numbers: Iterable[int]) -> Columns:
    known = old.slot_of
    new = [n for n in dict.fromkeys(item_numbers) if n >= known.size or known[n] < 0]
    item_no = np.concatenate([old.item_no, np.asarray(new, dtype=np.int32)])
    return replace(
        old,
        item_no=item_no,
        slot_of=_positions(item_no),
        live=np.concatenate([old.live, np.zeros(len(new), dtype=bool)]),
        available=np.concatenate([old.available, np.zeros(len(new), dtype=bool)]),
        numbers={name: _longer(values, len(new)) for name, values in old.numbers.items()},
    )


def _set_numbers(columns: Columns, slots: NDArray[np.int32], items: Sequence[ItemInput]) -> None:
    for values in columns.numbers.values():
        values[slots] = np.nan
    for slot, item in zip(slots, items, strict=True):
        for name in _fields(item):
            for value in values_of(item, name):
                if is_number(value):
                    column = columns.numbers.setdefault(name, np.full(columns.slots, np.nan))
                    column[slot] = value


def _merged_facts(
    columns: Columns, slots: NDArray[np.int32], items: Sequence[ItemInput]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    fresh: list[tuple[int, int]] = []
    for slot, item in zip(slots.tolist(), items, strict=True):
        for name in _fields(item):
            for value in values_of(item, name):
                if not is_number(value):
                    fact = (name, kind(value).__name__, value)
                    fresh.append((columns.vocabulary.setdefault(fact, len(columns.vocabulary)), slot))
    changed = np.zeros(columns.slots, dtype=bool)
    changed[slots] = True
    stays = ~changed[columns.fact_slots]
    added = np.asarray(fresh, dtype=np.int32).reshape(-1, 2)
    facts = np.concatenate([columns.facts[stays], added[:, 0]])
    fact_slots = np.concatenate([columns.fact_slots[stays], added[:, 1]])
    order = np.argsort(facts, kind="stable")
    return facts[order], fact_slots[order]


def _fields(item: ItemInput) -> list[str]:
    return [*FIELDS, *(ATTRIBUTE + name for name in item.attributes)]


def _within(numbers: NDArray[np.float64], condition: Condition) -> Bools:
    compare = {"gt": np.greater, "gte": np.greater_equal, "lt": np.less, "lte": np.less_equal}
    found = ~np.isnan(numbers)
    for name, bound in condition.bounds:
        found &= compare[name](numbers, bound)
    return found


def _positions(item_no: NDArray[np.int32]) -> NDArray[np.int32]:
    slot_of = np.full(int(item_no.max(initial=-1)) + 1, -1, dtype=np.int32)
    slot_of[item_no] = np.arange(item_no.size, dtype=np.int32)
    return slot_of


def _longer(values: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    return np.concatenate([values, np.full(by, np.nan)])
