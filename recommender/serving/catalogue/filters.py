"""The filter language of a request: equality, membership and ranges over catalogue fields, all ANDed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenants.data.types import Attribute, ItemInput, Scalar
from tenants.errors import FieldError, Invalid

FilterValue = Scalar | list[Scalar]
FILTER_FIELDS = ("categories", "tags", "brand", "price", "language", "available")
RANGE_OPERATORS = ("gt", "gte", "lt", "lte")
ATTRIBUTE_PREFIX = "attributes."
MAX_CONDITIONS = 20
MAX_VALUES = 200


@dataclass(frozen=True, slots=True)
class FilterCondition:
    """A field's value, or one of its values, is in `among`, or its number lies within the bounds."""

    field: str
    allowed_values: tuple[Scalar, ...] = ()
    bounds: tuple[tuple[str, float], ...] = ()

    def is_match(self, item: ItemInput) -> bool:
        values = get_field_values(item, self.field)
        if self.bounds:
            return any(is_number(value) and self.is_within_bounds(float(value)) for value in values)
        return any(is_same_value(value, wanted) for value in values for wanted in self.allowed_values)

    def is_within_bounds(self, value: float) -> bool:
        return all(_COMPARATORS[name](value, bound) for name, bound in self.bounds)


@dataclass(frozen=True, slots=True)
class ItemFilter:
    conditions: tuple[FilterCondition, ...]

    def has_condition_on(self, field: str) -> bool:
        return any(condition.field == field for condition in self.conditions)

    def is_match(self, item: ItemInput) -> bool:
        return all(condition.is_match(item) for condition in self.conditions)


def parse_filter(
    field_tests: Mapping[str, Mapping[str, FilterValue]] | None,
    *,
    pointer: str = "/filter",
    fields: tuple[str, ...] = FILTER_FIELDS,
) -> ItemFilter | None:
    """Tests on `fields` and attributes. Raises Invalid with one entry for each wrong field, pointing below `at`."""
    if not field_tests:
        return None
    if len(field_tests) > MAX_CONDITIONS:
        raise Invalid.from_field(
            pointer, "too_many", f"At most {MAX_CONDITIONS} fields can be filtered at once."
        )
    errors: list[FieldError] = []
    conditions: list[FilterCondition] = []
    for field, tests in field_tests.items():
        problem = _check_field(field, fields) or _check_tests(tests)
        if problem:
            errors.append(FieldError(f"{pointer}/{escape_pointer(field)}", "invalid_filter", problem))
        else:
            conditions.extend(_build_conditions(field, tests))
    if errors:
        raise Invalid(errors)
    return ItemFilter(tuple(conditions))


def can_show(item: ItemInput, item_filter: ItemFilter | None) -> bool:
    """The rule on one item as it is now: available unless the filter asks otherwise, and matching."""
    if item_filter is None:
        return item.available
    return (item.available or item_filter.has_condition_on("available")) and item_filter.is_match(item)


def get_field_values(item: ItemInput, field: str) -> list[Scalar]:
    """The values an item has under a filter's field; absent is an empty list and matches nothing."""
    if field.startswith(ATTRIBUTE_PREFIX):
        value: Attribute | None = item.attributes.get(field[len(ATTRIBUTE_PREFIX) :])
    else:
        value = getattr(item, field)
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def is_same_value(value: Scalar, expected: Scalar) -> bool:
    """Equal and of one type: true is not 1, "1" is not 1, 1 is 1.0."""
    return value == expected and get_value_type(value) is get_value_type(expected)


def get_value_type(value: Scalar) -> type[str] | type[bool] | type[float]:
    if isinstance(value, bool):
        return bool
    return str if isinstance(value, str) else float


def is_number(value: Scalar) -> bool:
    return get_value_type(value) is float


_COMPARATORS = {
    "gt": float.__gt__,
    "gte": float.__ge__,
    "lt": float.__lt__,
    "lte": float.__le__,
}


def _build_conditions(field: str, tests: Mapping[str, FilterValue]) -> list[FilterCondition]:
    found = [
        FilterCondition(field, allowed_values=_to_tuple(tests[name]))
        for name in ("eq", "in")
        if name in tests
    ]
    bounds = tuple(
        (name, bound) for name in RANGE_OPERATORS if (bound := _parse_bound(tests.get(name))) is not None
    )
    return [*found, FilterCondition(field, bounds=bounds)] if bounds else found


def _parse_bound(value: FilterValue | None) -> float | None:
    """The number, or None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _to_tuple(value: FilterValue) -> tuple[Scalar, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _check_field(field: str, fields: tuple[str, ...]) -> str:
    if field in fields or (field.startswith(ATTRIBUTE_PREFIX) and len(field) > len(ATTRIBUTE_PREFIX)):
        return ""
    return f"There is no field {field!r}; use {', '.join(fields)} or attributes.<name>."


def _check_tests(tests: Mapping[str, FilterValue]) -> str:
    if not tests:
        return "State eq, in, gt, gte, lt or lte."
    for name, value in tests.items():
        if name in RANGE_OPERATORS:
            if _parse_bound(value) is None:
                return f"{name} needs a number."
        elif name == "in":
            if not isinstance(value, list) or not 0 < len(value) <= MAX_VALUES:
                return f"in needs a list of 1 to {MAX_VALUES} values."
        elif name != "eq":
            return f"There is no test {name!r}; use eq, in, gt, gte, lt or lte."
        elif isinstance(value, list):
            return "eq needs one value; use in for several."
    return ""


def escape_pointer(field: str) -> str:
    return field.replace("~", "~0").replace("/", "~1")
