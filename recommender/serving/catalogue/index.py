"""A tenant's catalogue as columns: what filters need, no texts. Immutable; a change makes a new one.

A slot is a position in all arrays. The first slots are the active model's columns in the model's order, so
that scores need no translation; items the model has not seen follow in order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recommender.serving.catalogue.filters import (
    ATTRIBUTE_PREFIX,
    FILTER_FIELDS,
    FilterCondition,
    ItemFilter,
    get_field_values,
    get_value_type,
    is_number,
)
from tenants.data.types import ItemInput, Scalar, StoredItem

BoolArray = NDArray[np.bool_]
IndexTerm = tuple[str, str, Scalar]


@dataclass(frozen=True, slots=True)
class CatalogueIndex:
    """`facts` and `fact_slots` are parallel, sorted by fact: the inverted index of every non-number value.

    `slot_of` maps an item number to its slot, -1 for none. `read_to` is the (version, item number) of
    the last change taken.
    """

    last_change: tuple[int, int]
    item_numbers: NDArray[np.int32]
    slot_by_number: NDArray[np.int32]
    is_live: BoolArray
    is_available: BoolArray
    can_be_shown: BoolArray
    numeric_values: dict[str, NDArray[np.float64]]
    terms: NDArray[np.int32]
    term_slots: NDArray[np.int32]
    vocabulary: dict[IndexTerm, int] = field(repr=False)

    @property
    def n_slots(self) -> int:
        return int(self.item_numbers.size)

    @property
    def nbytes(self) -> int:
        arrays = [self.item_numbers, self.slot_by_number, self.is_live, self.terms, self.term_slots]
        return sum(a.nbytes for a in [*arrays, *self.numeric_values.values()]) + 200 * len(self.vocabulary)

    def has_slot(self, item_numbers: NDArray[np.int64]) -> BoolArray:
        """Which of the item numbers have a slot."""
        found = item_numbers < self.slot_by_number.size
        found[found] = self.slot_by_number[item_numbers[found]] >= 0
        return found

    def get_slots(self, item_numbers: NDArray[np.int64]) -> NDArray[np.int32]:
        """Slots of those item numbers that have one, in the order given."""
        return self.slot_by_number[item_numbers[self.has_slot(item_numbers)]]

    def build_mask(self, item_filter: ItemFilter | None) -> BoolArray:
        """Which slots may be shown. What is unavailable is shown only to a filter that asks for it."""
        allowed = (
            self.is_live if item_filter and item_filter.has_condition_on("available") else self.can_be_shown
        ).copy()
        for condition in item_filter.conditions if item_filter else ():
            allowed &= self._match_condition(condition)
        return allowed

    def _match_condition(self, condition: FilterCondition) -> BoolArray:
        found = np.zeros(self.n_slots, dtype=bool)
        numbers = self.numeric_values.get(condition.field)
        if condition.bounds:
            return found if numbers is None else _match_bounds(numbers, condition)
        for value in condition.allowed_values:
            if not is_number(value):
                found[self._find_term_slots((condition.field, get_value_type(value).__name__, value))] = True
            elif numbers is not None:
                found |= numbers == float(value)
        return found

    def _find_term_slots(self, term: IndexTerm) -> NDArray[np.int32]:
        number = self.vocabulary.get(term, -1)
        low, high = np.searchsorted(self.terms, [number, number + 1])
        return self.term_slots[low:high]


def create_empty_index(model_items: Sequence[int] | NDArray[np.integer] = ()) -> CatalogueIndex:
    """No items yet, with the slots of `order` (a model's columns) reserved and shut."""
    numbers = np.asarray(model_items, dtype=np.int32)
    return CatalogueIndex(
        last_change=(0, 0),
        item_numbers=numbers,
        slot_by_number=_build_slot_lookup(numbers),
        is_live=np.zeros(numbers.size, dtype=bool),
        is_available=np.zeros(numbers.size, dtype=bool),
        can_be_shown=np.zeros(numbers.size, dtype=bool),
        numeric_values={},
        terms=np.empty(0, dtype=np.int32),
        term_slots=np.empty(0, dtype=np.int32),
        vocabulary={},
    )


def update_index(previous: CatalogueIndex, changes: Sequence[StoredItem]) -> CatalogueIndex:
    """A copy with the changes in place; unseen items get slots at the end, in the order given."""
    if not changes:
        return previous
    grown = _extend_slots(previous, [change.item_no for change in changes])
    slots = grown.slot_by_number[[change.item_no for change in changes]]
    grown.is_live[slots] = [change.live for change in changes]
    grown.is_available[slots] = [change.item.available for change in changes]
    _set_numeric_values(grown, slots, [change.item for change in changes])
    facts, fact_slots = _merge_terms(grown, slots, [change.item for change in changes])
    read_to = max(previous.last_change, *((change.version, change.item_no) for change in changes))
    shown = grown.is_live & grown.is_available
    return replace(grown, last_change=read_to, terms=facts, term_slots=fact_slots, can_be_shown=shown)


def _extend_slots(previous: CatalogueIndex, item_numbers: Iterable[int]) -> CatalogueIndex:
    known = previous.slot_by_number
    new = [n for n in dict.fromkeys(item_numbers) if n >= known.size or known[n] < 0]
    item_no = np.concatenate([previous.item_numbers, np.asarray(new, dtype=np.int32)])
    return replace(
        previous,
        item_numbers=item_no,
        slot_by_number=_build_slot_lookup(item_no),
        is_live=np.concatenate([previous.is_live, np.zeros(len(new), dtype=bool)]),
        is_available=np.concatenate([previous.is_available, np.zeros(len(new), dtype=bool)]),
        numeric_values={
            name: _pad_with_nan(values, len(new)) for name, values in previous.numeric_values.items()
        },
    )


def _set_numeric_values(index: CatalogueIndex, slots: NDArray[np.int32], items: Sequence[ItemInput]) -> None:
    for values in index.numeric_values.values():
        values[slots] = np.nan
    for slot, item in zip(slots, items, strict=True):
        for name in _list_fields(item):
            for value in get_field_values(item, name):
                if is_number(value):
                    column = index.numeric_values.setdefault(name, np.full(index.n_slots, np.nan))
                    column[slot] = value


def _merge_terms(
    index: CatalogueIndex, slots: NDArray[np.int32], items: Sequence[ItemInput]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    fresh: list[tuple[int, int]] = []
    for slot, item in zip(slots.tolist(), items, strict=True):
        for name in _list_fields(item):
            for value in get_field_values(item, name):
                if not is_number(value):
                    fact = (name, get_value_type(value).__name__, value)
                    fresh.append((index.vocabulary.setdefault(fact, len(index.vocabulary)), slot))
    changed = np.zeros(index.n_slots, dtype=bool)
    changed[slots] = True
    stays = ~changed[index.term_slots]
    added = np.asarray(fresh, dtype=np.int32).reshape(-1, 2)
    facts = np.concatenate([index.terms[stays], added[:, 0]])
    fact_slots = np.concatenate([index.term_slots[stays], added[:, 1]])
    order = np.argsort(facts, kind="stable")
    return facts[order], fact_slots[order]


def _list_fields(item: ItemInput) -> list[str]:
    return [*FILTER_FIELDS, *(ATTRIBUTE_PREFIX + name for name in item.attributes)]


def _match_bounds(values: NDArray[np.float64], condition: FilterCondition) -> BoolArray:
    compare = {"gt": np.greater, "gte": np.greater_equal, "lt": np.less, "lte": np.less_equal}
    found = ~np.isnan(values)
    for name, bound in condition.bounds:
        found &= compare[name](values, bound)
    return found


def _build_slot_lookup(item_numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    slot_of = np.full(int(item_numbers.max(initial=-1)) + 1, -1, dtype=np.int32)
    slot_of[item_numbers] = np.arange(item_numbers.size, dtype=np.int32)
    return slot_of


def _pad_with_nan(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return np.concatenate([values, np.full(count, np.nan)])
