"""Takes a tenant's rules, or says of each why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recommender.features.specification import Denials
from recommender.serving.filters import ATTRIBUTE, escaped
from recommender.serving.rules import denied_names, filters_of
from tenants.data.actions import knowledge as actions
from tenants.data.presets import never_features
from tenants.data.queries import catalog, profiles, space
from tenants.data.types import RowError, RuleInput, RulesTaken
from tenants.errors import Invalid
from tenants.scope import Scope

# So many profiles and items are asked which attributes there are.
ASKED = 20_000


def replace_rules(s: Scope, rules: Sequence[RuleInput]) -> RulesTaken:
    """In place of all that were there; rows that cannot be are returned: with an unknown field or test, with an attribute
    that nobody has, or with one that is never a feature.

    Where no profile, or no item, is stored yet, its attributes cannot be unknown. Raises TooLarge."""
    state = space.state(s)
    denials = Denials(never_features(state.vertical, state.privacy))
    known = {
        "profile": _attributes(s, "profile") if _asks(rules, "profile") else None,
        "items": _attributes(s, "items") if _asks(rules, "items") else None,
    }
    refused = [
        RowError(row, f"/rules/{row}{pointer}", code, detail)
        for row, rule in enumerate(rules)
        for pointer, code, detail in _faults(rule, denials, known)
    ]
    return actions.replace_rules(s, rules, refused=refused)


def _faults(
    rule: RuleInput, denials: Denials, known: dict[str, set[str] | None]
) -> Iterator[tuple[str, str, str]]:
    try:
        _, items = filters_of(rule)
    except Invalid as error:
        yield from ((one.pointer, one.code, one.detail) for one in error.errors)
        return
    if items is None:
        yield "/items", "required", "A rule names the items it is about."
    for pointer, name, why in denied_names(rule, denials):
        yield (
            _pointer(pointer),
            "never_feature",
            f"{name!r} may not be used here: {why!r} is never a feature.",
        )
    for part, tests in (("profile", rule.profile), ("items", rule.items)):
        there = known[part]
        for field in tests:
            name = field.removeprefix(ATTRIBUTE)
            if field.startswith(ATTRIBUTE) and there is not None and name not in there:
                yield _pointer(f"/{part}/{field}"), "unknown_attribute", _unknown(part, name, there)


def _pointer(path: str) -> str:
    _, part, field = path.split("/", 2)
    return f"/{part}/{escaped(field)}"


def _unknown(part: str, name: str, there: set[str]) -> str:
    who = "profile" if part == "profile" else "item"
    listed = ", ".join(sorted(there)[:20]) or "none at all"
    return f"No {who} has the attribute {name!r}; there are {listed}."


def _asks(rules: Sequence[RuleInput], part: str) -> bool:
    return any(field.startswith(ATTRIBUTE) for rule in rules for field in getattr(rule, part))


def _attributes(s: Scope, part: str) -> set[str] | None:
    """Names of the attributes of those who are asked; None where there is nobody."""
    if part == "profile":
        people = profiles.page(s, limit=ASKED).values()
        return {name for one in people for name in one.attributes} if people else None
    stored = catalog.changed_since(s, 0, limit=ASKED)
    return {name for one in stored for name in one.item.attributes} if stored else None
