"""The filter language of requests and rules: conditions on catalogue fields, joined by AND.

A condition is a name (`eq`, `in`, `gt`, `gte`, `lt`, `lte`) with an operand. This module parses a filter and evaluates it
for one stored item (`ItemFilter.is_match`). `catalogue.index` evaluates the same conditions for all items in memory
(`CatalogueIndex.build_mask`). A new condition needs code in both; tests/serving/test_filters.py compares their results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenants.data.types import Attribute, ItemInput, Scalar
from tenants.errors import FieldError, Invalid

FilterValue = Scalar | list[Scalar]
FILTER_FIELDS = ("categories", "tags", "brand", "price", "language", "available")
RANGE_CONDITIONS = ("gt", "gte", "lt", "lte")
ATTRIBUTE_PREFIX = "attributes."
MAX_CONDITIONS = 20
MAX_VALUES = 200


@dataclass(
    frozen=True,
    slots=True,
)
class FilterCondition:
    """One condition on one field; all range conditions of a field are together one FilterCondition.

    `bounds`: names and operands of range conditions; a number of the field must fulfil all of them. `allowed_values`: used
    if there are no bounds; one of the field's values must be among them.
    """

    field: str
    allowed_values: tuple[Scalar, ...] = ()
    bounds: tuple[tuple[str, float], ...] = ()

    def is_match(self, item: ItemInput) -> bool:
        """Whether any of the item's values of the field fulfils the condition."""
        return any(self._is_value_match(value) for value in get_field_values(item, self.field))

    def _is_value_match(self, value: Scalar) -> bool:
        if self.bounds:
            return is_number(value) and self._is_within_bounds(float(value))
        return any(is_same_value(value, allowed) for allowed in self.allowed_values)

    def _is_within_bounds(self, value: float) -> bool:
        return all(_COMPARATORS[name](value, bound) for name, bound in self.bounds)


@dataclass(
    frozen=True,
    slots=True,
)
class ItemFilter:
    """Conditions that must all hold."""

    conditions: tuple[FilterCondition, ...]

    def has_condition_on(self, field: str) -> bool:
        """Whether the filter has a condition on the field."""
        return any(condition.field == field for condition in self.conditions)

    def is_match(self, item: ItemInput) -> bool:
        """Whether the item fulfils all conditions."""
        return all(condition.is_match(item) for condition in self.conditions)


def parse_filter(
    conditions_by_field: Mapping[str, Mapping[str, FilterValue]] | None,
    *,
    pointer: str = "/filter",
    fields: tuple[str, ...] = FILTER_FIELDS,
) -> ItemFilter | None:
    """Parses conditions on `fields` and on attributes; None if there are none.

    Raises Invalid with one entry for each wrong field; their JSON pointers start with `pointer`.
    """
    if not conditions_by_field:
        return None
    if len(conditions_by_field) > MAX_CONDITIONS:
        raise Invalid.from_field(
            pointer, "too_many", f"At most {MAX_CONDITIONS} fields can be filtered at once."
        )
    errors: list[FieldError] = []
    conditions: list[FilterCondition] = []
    for field, field_conditions in conditions_by_field.items():
        problem = _check_field(field, fields) or _check_conditions(field_conditions)
        if problem:
            errors.append(FieldError(f"{pointer}/{escape_pointer(field)}", "invalid_filter", problem))
        else:
            conditions.extend(_build_conditions(field, field_conditions))
    if errors:
        raise Invalid(errors)
    return ItemFilter(tuple(conditions))


def can_show(item: ItemInput, item_filter: ItemFilter | None) -> bool:
    """Whether the item matches the filter and is available; a condition on `available` replaces the second test."""
    if item_filter is None:
        return item.available
    ignores_availability = item_filter.has_condition_on("available")
    return (item.available or ignores_availability) and item_filter.is_match(item)


def get_field_values(item: ItemInput, field: str) -> list[Scalar]:
    """The item's values of a filter field; an absent value gives an empty list and matches nothing."""
    if field.startswith(ATTRIBUTE_PREFIX):
        value: Attribute | None = item.attributes.get(field[len(ATTRIBUTE_PREFIX) :])
    else:
        value = getattr(item, field)
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def is_same_value(value: Scalar, expected: Scalar) -> bool:
    """Whether two values are equal and of one type: true is not 1, "1" is not 1, 1 is 1.0."""
    return value == expected and get_value_type(value) is get_value_type(expected)


def get_value_type(value: Scalar) -> type[str] | type[bool] | type[float]:
    """The filter type of a value: integers count as floats."""
    # bool is a subclass of int, so it is tested before numbers.
    if isinstance(value, bool):
        return bool
    return str if isinstance(value, str) else float


def is_number(value: Scalar) -> bool:
    """Whether the value is an integer or a float; booleans are not."""
    return get_value_type(value) is float


_COMPARATORS = {
    "gt": float.__gt__,
    "gte": float.__ge__,
    "lt": float.__lt__,
    "lte": float.__le__,
}


def _build_conditions(field: str, field_conditions: Mapping[str, FilterValue]) -> list[FilterCondition]:
    """One FilterCondition for each of `eq` and `in`, and one for all range conditions together."""
    conditions: list[FilterCondition] = []
    for name in ("eq", "in"):
        if name in field_conditions:
            conditions.append(FilterCondition(field, allowed_values=_to_tuple(field_conditions[name])))
    bounds: list[tuple[str, float]] = []
    for name in RANGE_CONDITIONS:
        bound = _parse_bound(field_conditions.get(name))
        if bound is not None:
            bounds.append((name, bound))
    if bounds:
        conditions.append(FilterCondition(field, bounds=tuple(bounds)))
    return conditions


def _parse_bound(value: FilterValue | None) -> float | None:
    """The number, or None for any other value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _to_tuple(value: FilterValue) -> tuple[Scalar, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _check_field(field: str, fields: tuple[str, ...]) -> str:
    """What is wrong with the field's name; empty if nothing is."""
    is_attribute = field.startswith(ATTRIBUTE_PREFIX) and len(field) > len(ATTRIBUTE_PREFIX)
    if field in fields or is_attribute:
        return ""
    return f"There is no field {field!r}; use {', '.join(fields)} or attributes.<name>."


def _check_conditions(field_conditions: Mapping[str, FilterValue]) -> str:
    """What is wrong with the first wrong condition; empty if nothing is."""
    if not field_conditions:
        return "Give one of the conditions eq, in, gt, gte, lt or lte."
    for name, value in field_conditions.items():
        if name in RANGE_CONDITIONS:
            if _parse_bound(value) is None:
                return f"{name} needs a number."
        elif name == "in":
            if not isinstance(value, list) or not 0 < len(value) <= MAX_VALUES:
                return f"in needs a list of 1 to {MAX_VALUES} values."
        elif name != "eq":
            return f"There is no condition {name!r}; use eq, in, gt, gte, lt or lte."
        elif isinstance(value, list):
            return "eq needs one value; use in for several."
    return ""


def escape_pointer(field: str) -> str:
    """Escapes a field name for a JSON pointer (RFC 6901)."""
    return field.replace("~", "~0").replace("/", "~1")
