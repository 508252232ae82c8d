"""The filter language of a request: equality, membership and ranges over catalogue fields, all ANDed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenants.data.types import Attribute, ItemInput, Scalar
from tenants.errors import FieldError, Invalid

Test = Scalar | list[Scalar]
FIELDS = ("categories", "tags", "brand", "price", "language", "available")
RANGES = ("gt", "gte", "lt", "lte")
ATTRIBUTE = "attributes."
MAX_CONDITIONS = 20
MAX_VALUES = 200


@dataclass(frozen=True, slots=True)
class Condition:
    """A field's value, or one of its values, is in `among`, or its number lies within the bounds."""

    field: str
    among: tuple[Scalar, ...] = ()
    bounds: tuple[tuple[str, float], ...] = ()

    def holds(self, item: ItemInput) -> bool:
        values = values_of(item, self.field)
        if self.bounds:
            return any(is_number(value) and self.within(float(value)) for value in values)
        return any(same(value, wanted) for value in values for wanted in self.among)

    def within(self, value: float) -> bool:
        return all(_COMPARE[name](value, bound) for name, bound in self.bounds)


@dataclass(frozen=True, slots=True)
class Filter:
    conditions: tuple[Condition, ...]

    def names(self, field: str) -> bool:
        return any(condition.field == field for condition in self.conditions)

    def holds(self, item: ItemInput) -> bool:
        return all(condition.holds(item) for condition in self.conditions)


def parse(
    given: Mapping[str, Mapping[str, Test]] | None, *, at: str = "/filter", fields: tuple[str, ...] = FIELDS
) -> Filter | None:
    """Tests on `fields` and attributes. Raises Invalid with one entry for each wrong field, pointing below `at`."""
    if not given:
        return None
    if len(given) > MAX_CONDITIONS:
        raise Invalid.at(at, "too_many", f"At most {MAX_CONDITIONS} fields can be filtered at once.")
    errors: list[FieldError] = []
    conditions: list[Condition] = []
    for field, tests in given.items():
        problem = _field_problem(field, fields) or _tests_problem(tests)
        if problem:
            errors.append(FieldError(f"{at}/{escaped(field)}", "invalid_filter", problem))
        else:
            conditions.extend(_conditions(field, tests))
    if errors:
        raise Invalid(errors)
    return Filter(tuple(conditions))


def may_show(item: ItemInput, wanted: Filter | None) -> bool:
    """The rule on one item as it is now: available unless the filter asks otherwise, and matching."""
    if wanted is None:
        return item.available
    return (item.available or wanted.names("available")) and wanted.holds(item)


def values_of(item: ItemInput, field: str) -> list[Scalar]:
    """The values an item has under a filter's field; absent is an empty list and matches nothing."""
    if field.startswith(ATTRIBUTE):
        value: Attribute | None = item.attributes.get(field[len(ATTRIBUTE) :])
    else:
        value = getattr(item, field)
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def same(value: Scalar, wanted: Scalar) -> bool:
    """Equal and of one type: true is not 1, "1" is not 1, 1 is 1.0."""
    return value == wanted and kind(value) is kind(wanted)


def kind(value: Scalar) -> type[str] | type[bool] | type[float]:
    if isinstance(value, bool):
        return bool
    return str if isinstance(value, str) else float


def is_number(value: Scalar) -> bool:
    return kind(value) is float


_COMPARE = {
    "gt": float.__gt__,
    "gte": float.__ge__,
    "lt": float.__lt__,
    "lte": float.__le__,
}


def _conditions(field: str, tests: Mapping[str, Test]) -> list[Condition]:
    found = [Condition(field, among=_tuple(tests[name])) for name in ("eq", "in") if name in tests]
    bounds = tuple((name, bound) for name in RANGES if (bound := _bound(tests.get(name))) is not None)
    return [*found, Condition(field, bounds=bounds)] if bounds else found


def _bound(given: Test | None) -> float | None:
    """The number, or None for anything else."""
    return float(given) if isinstance(given, int | float) and not isinstance(given, bool) else None


def _tuple(value: Test) -> tuple[Scalar, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _field_problem(field: str, fields: tuple[str, ...]) -> str:
    if field in fields or (field.startswith(ATTRIBUTE) and len(field) > len(ATTRIBUTE)):
        return ""
    return f"There is no field {field!r}; use {', '.join(fields)} or attributes.<name>."


def _tests_problem(tests: Mapping[str, Test]) -> str:
    if not tests:
        return "State eq, in, gt, gte, lt or lte."
    for name, value in tests.items():
        if name in RANGES:
            if _bound(value) is None:
                return f"{name} needs a number."
        elif name == "in":
            if not isinstance(value, list) or not 0 < len(value) <= MAX_VALUES:
                return f"in needs a list of 1 to {MAX_VALUES} values."
        elif name != "eq":
            return f"There is no test {name!r}; use eq, in, gt, gte, lt or lte."
        elif isinstance(value, list):
            return "eq needs one value; use in for several."
    return ""


def escaped(field: str) -> str:
    return field.replace("~", "~0").replace("/", "~1")
