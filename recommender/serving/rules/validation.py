"""Validates a tenant's rules and stores those that are valid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from recommender.features.denied_attributes import DeniedAttributes
from recommender.serving.catalogue.filters import ATTRIBUTE_PREFIX, escape_pointer
from recommender.serving.rules.matching import find_denied_names, parse_rule_filters
from tenants.data.actions import knowledge as actions
from tenants.data.presets import list_denied_attributes
from tenants.data.queries import catalog, profiles, tenant_state
from tenants.data.types import RowError, RuleInput, RulesResult
from tenants.errors import Invalid
from tenants.scope import Scope

# Attribute names are collected from at most this many profiles and items.
MAX_SAMPLED_ROWS = 20_000
_MAX_LISTED_NAMES = 20
_SECTIONS = ("profile", "items")


@dataclass(
    frozen=True,
    slots=True,
)
class _RuleError:
    """`pointer` is a JSON pointer into the rule."""

    pointer: str
    code: str
    detail: str


def replace_rules(s: Scope, rules: Sequence[RuleInput]) -> RulesResult:
    """Replaces all rules of the tenant by the valid ones among `rules`; the result lists the others with their errors.

    A rule is rejected if it has an unknown field or test, tests an attribute that no stored row has, or tests a denied
    attribute. While no profile (or item) is stored, any attribute of profiles (or items) is accepted.

    Raises TooLarge.
    """
    state = tenant_state.get_state(s)
    denials = DeniedAttributes(list_denied_attributes(state.vertical, state.privacy))
    attribute_names: dict[str, set[str] | None] = {}
    for section in _SECTIONS:
        # Reading names decrypts many rows, so it is done only for sections that test an attribute.
        is_needed = _has_attribute_tests(rules, section)
        attribute_names[section] = _load_attribute_names(s, section) if is_needed else None
    row_errors: list[RowError] = []
    for row, rule in enumerate(rules):
        for error in _find_rule_errors(rule, denials, attribute_names):
            row_errors.append(
                RowError(
                    row,
                    f"/rules/{row}{error.pointer}",
                    error.code,
                    error.detail,
                )
            )
    return actions.replace_rules(s, rules, rejected=row_errors)


def _find_rule_errors(
    rule: RuleInput, denials: DeniedAttributes, attribute_names: Mapping[str, set[str] | None]
) -> Iterator[_RuleError]:
    try:
        filters = parse_rule_filters(rule)
    except Invalid as invalid:
        for error in invalid.errors:
            yield _RuleError(error.pointer, error.code, error.detail)
        return
    if filters.items is None:
        yield _RuleError("/items", "required", "A rule needs at least one test of items.")
    for denied in find_denied_names(rule, denials):
        yield _RuleError(
            pointer=_escape_field(denied.pointer),
            code="never_feature",
            detail=f"{denied.name!r} may not be used here: {denied.denied_attribute!r} is never a feature.",
        )
    for section, tests in (("profile", rule.profile), ("items", rule.items)):
        names = attribute_names[section]
        for field in tests:
            name = field.removeprefix(ATTRIBUTE_PREFIX)
            if field.startswith(ATTRIBUTE_PREFIX) and names is not None and name not in names:
                yield _RuleError(
                    pointer=_escape_field(f"/{section}/{field}"),
                    code="unknown_attribute",
                    detail=_format_unknown_attribute(section, name, names),
                )


def _escape_field(pointer: str) -> str:
    """Escapes the field name, the last part of "/section/field"; it may itself contain slashes."""
    _, section, field = pointer.split("/", 2)
    return f"/{section}/{escape_pointer(field)}"


def _format_unknown_attribute(section: str, name: str, attribute_names: set[str]) -> str:
    row_kind = "profile" if section == "profile" else "item"
    listed = ", ".join(sorted(attribute_names)[:_MAX_LISTED_NAMES]) or "none at all"
    return f"No {row_kind} has the attribute {name!r}; there are {listed}."


def _has_attribute_tests(rules: Sequence[RuleInput], section: str) -> bool:
    fields = [field for rule in rules for field in getattr(rule, section)]
    return any(field.startswith(ATTRIBUTE_PREFIX) for field in fields)


def _load_attribute_names(s: Scope, section: str) -> set[str] | None:
    """Names of the attributes of stored profiles or items; None if there are no rows."""
    rows: list[Mapping[str, object]]
    if section == "profile":
        stored_profiles = profiles.list_profiles(s, limit=MAX_SAMPLED_ROWS)
        rows = [profile.attributes for profile in stored_profiles.values()]
    else:
        stored_items = catalog.list_changed_items(s, 0, limit=MAX_SAMPLED_ROWS)
        rows = [stored.item.attributes for stored in stored_items]
    if not rows:
        return None
    return {name for attributes in rows for name in attributes}
