"""Takes a tenant's rules, or says of each why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recommender.features.specification import DeniedAttributes
from recommender.serving.catalogue.filters import ATTRIBUTE_PREFIX, escape_pointer
from recommender.serving.rules.matching import find_denied_names, parse_rule_filters
from tenants.data.actions import knowledge as actions
from tenants.data.presets import list_denied_attributes
from tenants.data.queries import catalog, profiles, tenant_state
from tenants.data.types import RowError, RuleInput, RulesResult
from tenants.errors import Invalid
from tenants.scope import Scope

# So many profiles and items are asked which attributes there are.
MAX_SAMPLED_ROWS = 20_000


def replace_rules(s: Scope, rules: Sequence[RuleInput]) -> RulesResult:
    """In place of all that were there; rows that cannot be are returned: with an unknown field or test, with an attribute
    that nobody has, or with one that is never a feature.

    Where no profile, or no item, is stored yet, its attributes cannot be unknown. Raises TooLarge."""
    state = tenant_state.get_state(s)
    denials = DeniedAttributes(list_denied_attributes(state.vertical, state.privacy))
    known = {
        "profile": _load_attribute_names(s, "profile") if _has_attribute_tests(rules, "profile") else None,
        "items": _load_attribute_names(s, "items") if _has_attribute_tests(rules, "items") else None,
    }
    refused = [
        RowError(row, f"/rules/{row}{pointer}", code, detail)
        for row, rule in enumerate(rules)
        for pointer, code, detail in _find_rule_errors(rule, denials, known)
    ]
    return actions.replace_rules(s, rules, rejected=refused)


def _find_rule_errors(
    rule: RuleInput, denials: DeniedAttributes, attribute_names: dict[str, set[str] | None]
) -> Iterator[tuple[str, str, str]]:
    try:
        _, items = parse_rule_filters(rule)
    except Invalid as error:
        yield from ((one.pointer, one.code, one.detail) for one in error.errors)
        return
    if items is None:
        yield "/items", "required", "A rule names the items it is about."
    for pointer, name, why in find_denied_names(rule, denials):
        yield (
            _build_pointer(pointer),
            "never_feature",
            f"{name!r} may not be used here: {why!r} is never a feature.",
        )
    for part, tests in (("profile", rule.profile), ("items", rule.items)):
        there = attribute_names[part]
        for field in tests:
            name = field.removeprefix(ATTRIBUTE_PREFIX)
            if field.startswith(ATTRIBUTE_PREFIX) and there is not None and name not in there:
                yield (
                    _build_pointer(f"/{part}/{field}"),
                    "unknown_attribute",
                    _format_unknown_attribute(part, name, there),
                )


def _build_pointer(path: str) -> str:
    _, part, field = path.split("/", 2)
    return f"/{part}/{escape_pointer(field)}"


def _format_unknown_attribute(section: str, name: str, attribute_names: set[str]) -> str:
    who = "profile" if section == "profile" else "item"
    listed = ", ".join(sorted(attribute_names)[:20]) or "none at all"
    return f"No {who} has the attribute {name!r}; there are {listed}."


def _has_attribute_tests(rules: Sequence[RuleInput], section: str) -> bool:
    return any(field.startswith(ATTRIBUTE_PREFIX) for rule in rules for field in getattr(rule, section))


def _load_attribute_names(s: Scope, section: str) -> set[str] | None:
    """Names of the attributes of those who are asked; None where there is nobody."""
    if section == "profile":
        people = profiles.list_profiles(s, limit=MAX_SAMPLED_ROWS).values()
        return {name for one in people for name in one.attributes} if people else None
    stored = catalog.list_changed_items(s, 0, limit=MAX_SAMPLED_ROWS)
    return {name for one in stored for name in one.item.attributes} if stored else None
