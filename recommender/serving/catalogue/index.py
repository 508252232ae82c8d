"""A columnar index of a tenant's catalogue: what filters need, no texts. An update creates a new index.

`CatalogueIndex.build_mask` evaluates a filter for all items at once. `catalogue.filters` parses filters and evaluates the
same conditions for one stored item.

A slot is a position in all per-item arrays. The first slots are the active model's items in the model's order, so that the
model's scores need no translation. Other items follow in order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
"""(field, name of the value's type, value)."""
_COMPARATORS = {
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}
# An estimate of a vocabulary entry's memory: the key's tuple, its strings and the dict slot.
_BYTES_PER_TERM = 200


@dataclass(
    frozen=True,
    slots=True,
)
class CatalogueIndex:
    """Per-slot arrays and an inverted index of all values that are not numbers.

    Attributes:
        last_change: (version, item number) of the newest change in the index; the next page of changes starts after it.
        item_numbers: int32 (slots).
        slot_by_number: int32 indexed by item number; -1 for numbers without a slot.
        is_live: bool (slots), whether the item exists and is not retired.
        is_available: bool (slots), the item's own flag.
        can_be_shown: bool (slots), live and available.
        numeric_values: by field, float64 (slots); NaN where the item has no number.
        terms: int32 (pairs), term numbers in ascending order, parallel to `term_slots`.
        term_slots: int32 (pairs), the slot that has the term.
        vocabulary: the number of each term.
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
        """The number of slots."""
        return int(self.item_numbers.size)

    @property
    def nbytes(self) -> int:
        """Memory in bytes; estimated for the vocabulary."""
        arrays = [self.item_numbers, self.slot_by_number, self.is_live, self.terms, self.term_slots]
        arrays_bytes = sum(array.nbytes for array in [*arrays, *self.numeric_values.values()])
        return arrays_bytes + _BYTES_PER_TERM * len(self.vocabulary)

    def has_slot(self, item_numbers: NDArray[np.int64]) -> BoolArray:
        """Which of the item numbers have a slot."""
        has_slot = item_numbers < self.slot_by_number.size
        # Only numbers inside the table may be used as an index; the others stay False.
        has_slot[has_slot] = self.slot_by_number[item_numbers[has_slot]] >= 0
        return has_slot

    def get_slots(self, item_numbers: NDArray[np.int64]) -> NDArray[np.int32]:
        """Slots of those item numbers that have one, in the order given."""
        return self.slot_by_number[item_numbers[self.has_slot(item_numbers)]]

    def build_mask(self, item_filter: ItemFilter | None) -> BoolArray:
        """A new mask, bool (slots): the items that may be shown and fulfil all conditions.

        Unavailable items are in the mask only if the filter has a condition on `available`.
        """
        if item_filter is None:
            return self.can_be_shown.copy()
        has_availability = item_filter.has_condition_on("available")
        mask = (self.is_live if has_availability else self.can_be_shown).copy()
        for condition in item_filter.conditions:
            mask &= self._match_condition(condition)
        return mask

    def _match_condition(self, condition: FilterCondition) -> BoolArray:
        mask = np.zeros(self.n_slots, dtype=bool)
        numbers = self.numeric_values.get(condition.field)
        if condition.bounds:
            return mask if numbers is None else _match_bounds(numbers, condition)
        for value in condition.allowed_values:
            if not is_number(value):
                mask[self._find_term_slots(_to_term(condition.field, value))] = True
            elif numbers is not None:
                mask |= numbers == float(value)
        return mask

    def _find_term_slots(self, term: IndexTerm) -> NDArray[np.int32]:
        # An unknown term gets the number -1, whose range in the sorted `terms` is empty.
        number = self.vocabulary.get(term, -1)
        start, end = np.searchsorted(self.terms, [number, number + 1])
        return self.term_slots[start:end]


def create_empty_index(model_items: Sequence[int] | NDArray[np.integer] = ()) -> CatalogueIndex:
    """An index without items; the item numbers of a model get the first slots, none of which may be shown yet."""
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
    """A new index with the changes applied; items without a slot get slots at the end, in the order given."""
    if not changes:
        return previous
    item_numbers = [change.item_no for change in changes]
    items = [change.item for change in changes]
    index = _extend_slots(previous, item_numbers)
    slots = index.slot_by_number[item_numbers]
    index.is_live[slots] = [change.live for change in changes]
    index.is_available[slots] = [item.available for item in items]
    _set_numeric_values(index, slots, items)
    terms, term_slots = _merge_terms(index, slots, items)
    newest_change = max((change.version, change.item_no) for change in changes)
    return replace(
        index,
        last_change=max(previous.last_change, newest_change),
        terms=terms,
        term_slots=term_slots,
        can_be_shown=index.is_live & index.is_available,
    )


def _extend_slots(previous: CatalogueIndex, item_numbers: Iterable[int]) -> CatalogueIndex:
    """A copy of the per-slot arrays, with slots for the item numbers that have none."""
    slot_by_number = previous.slot_by_number
    new_numbers: list[int] = []
    # dict.fromkeys removes repetitions and keeps the order.
    for number in dict.fromkeys(item_numbers):
        if number >= slot_by_number.size or slot_by_number[number] < 0:
            new_numbers.append(number)
    n_new = len(new_numbers)
    all_numbers = np.concatenate([previous.item_numbers, np.asarray(new_numbers, dtype=np.int32)])
    no_flags = np.zeros(n_new, dtype=bool)
    no_values = np.full(n_new, np.nan)
    numeric_values: dict[str, NDArray[np.float64]] = {}
    for name, values in previous.numeric_values.items():
        numeric_values[name] = np.concatenate([values, no_values])
    return replace(
        previous,
        item_numbers=all_numbers,
        slot_by_number=_build_slot_lookup(all_numbers),
        is_live=np.concatenate([previous.is_live, no_flags]),
        is_available=np.concatenate([previous.is_available, no_flags]),
        numeric_values=numeric_values,
    )


def _set_numeric_values(index: CatalogueIndex, slots: NDArray[np.int32], items: Sequence[ItemInput]) -> None:
    """Writes the items' numbers; the arrays are those of a new index, so no reader sees the change."""
    for values in index.numeric_values.values():
        values[slots] = np.nan
    for slot, item in zip(slots, items, strict=True):
        for name, value in _iter_values(item):
            if is_number(value):
                values = index.numeric_values.setdefault(name, np.full(index.n_slots, np.nan))
                values[slot] = value


def _merge_terms(
    index: CatalogueIndex, slots: NDArray[np.int32], items: Sequence[ItemInput]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Sorted `terms` and `term_slots` in which the pairs of the changed slots are replaced.

    New terms are added to the shared vocabulary: numbers only grow, so an older index that uses it stays valid.
    """
    new_pairs: list[tuple[int, int]] = []
    for slot, item in zip(slots.tolist(), items, strict=True):
        for name, value in _iter_values(item):
            if not is_number(value):
                number = index.vocabulary.setdefault(_to_term(name, value), len(index.vocabulary))
                new_pairs.append((number, slot))
    is_changed = np.zeros(index.n_slots, dtype=bool)
    is_changed[slots] = True
    is_unchanged_pair = ~is_changed[index.term_slots]
    # reshape keeps two columns when there are no pairs.
    pairs = np.asarray(new_pairs, dtype=np.int32).reshape(-1, 2)
    terms = np.concatenate([index.terms[is_unchanged_pair], pairs[:, 0]])
    term_slots = np.concatenate([index.term_slots[is_unchanged_pair], pairs[:, 1]])
    order = np.argsort(terms, kind="stable")
    return terms[order], term_slots[order]


def _iter_values(item: ItemInput) -> Iterator[tuple[str, Scalar]]:
    """(field, value) of all values that a condition can refer to."""
    attribute_fields = [ATTRIBUTE_PREFIX + name for name in item.attributes]
    for name in [*FILTER_FIELDS, *attribute_fields]:
        for value in get_field_values(item, name):
            yield name, value


def _to_term(name: str, value: Scalar) -> IndexTerm:
    # The type is part of the term because True == 1 and both have the same hash.
    return name, get_value_type(value).__name__, value


def _match_bounds(values: NDArray[np.float64], condition: FilterCondition) -> BoolArray:
    mask = ~np.isnan(values)
    for name, bound in condition.bounds:
        mask &= _COMPARATORS[name](values, bound)
    return mask


def _build_slot_lookup(item_numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """int32 indexed by item number: its position in `item_numbers`, -1 for none."""
    slot_by_number = np.full(int(item_numbers.max(initial=-1)) + 1, -1, dtype=np.int32)
    slot_by_number[item_numbers] = np.arange(item_numbers.size, dtype=np.int32)
    return slot_by_number
