"""The tenant's rules, made ready: which profiles they speak of, and which items they raise or lower."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.features.specification import Denials
from recommender.serving.columns import Bools, Columns
from recommender.serving.filters import ATTRIBUTE, Filter, parse
from recommender.types import Floats
from tenants.data.types import ItemInput, ProfileInput, RuleInput
from tenants.errors import Invalid

OF_PROFILES = ("language",)


@dataclass(frozen=True, slots=True)
class Rule:
    """`profile` is None for a rule that is for everybody."""

    id: str
    profile: Filter | None
    items: Filter
    weight: float

    def speaks_of(self, person: ProfileInput | None) -> bool:
        if self.profile is None:
            return True
        return person is not None and self.profile.holds(_as_item(person))


@dataclass(frozen=True, slots=True)
class Applied:
    """A rule that speaks of the person, and the slots it names."""

    id: str
    weight: float
    slots: Bools


@dataclass(frozen=True, slots=True)
class Rules:
    rules: tuple[Rule, ...] = ()

    @property
    def personal(self) -> bool:
        """Whether any of them asks who the profile is."""
        return any(rule.profile is not None for rule in self.rules)

    def applied(self, columns: Columns, person: ProfileInput | None) -> list[Applied]:
        """Those that speak of this person and name an item that is open; None is somebody of whom nothing may be known."""
        found = [
            Applied(rule.id, rule.weight, columns.mask(rule.items))
            for rule in self.rules
            if rule.weight and rule.speaks_of(person)
        ]
        return [one for one in found if one.slots.any()]


def prior(applied: Iterable[Applied], slots: int) -> Floats:
    """float32 (slots): the sum of the weights of the rules that name an item."""
    total = np.zeros(slots, dtype=np.float32)
    for one in applied:
        total[one.slots] += np.float32(one.weight)
    return total


def compiled(stated: Sequence[RuleInput], never: Iterable[str]) -> Rules:
    """Without rules that were allowed once and read what may not be read any more."""
    denials = Denials(never)
    return Rules(tuple(rule for one in stated if (rule := _compiled(one, denials)) is not None))


def filters_of(rule: RuleInput) -> tuple[Filter | None, Filter | None]:
    """The tests on profiles and on items; None where there are none. Raises Invalid, with pointers into the rule."""
    return parse(rule.profile, at="/profile", fields=OF_PROFILES), parse(rule.items, at="/items")


def denied_names(rule: RuleInput, denials: Denials) -> list[tuple[str, str, str]]:
    """(pointer, name, the denied name it amounts to) of the attributes and marked labels that may not be read."""
    found = []
    for part, tests in (("profile", rule.profile), ("items", rule.items)):
        for field, test in tests.items():
            names = [field.removeprefix(ATTRIBUTE), *_marks(test.values())]
            found += [(f"/{part}/{field}", name, why) for name in names if (why := denials.reason(name))]
    return found


def _marks(values: Iterable[object]) -> list[str]:
    """Names that stand in values, like the first half of "gender:female"."""
    listed = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return [one.split(":", 1)[0] for one in listed if isinstance(one, str) and ":" in one]


def _compiled(stated: RuleInput, denials: Denials) -> Rule | None:
    try:
        profile, items = filters_of(stated)
    except Invalid:
        return None
    if items is None or denied_names(stated, denials):
        return None
    return Rule(stated.id, profile, items, stated.weight)


def _as_item(person: ProfileInput) -> ItemInput:
    """Tests read language and attributes, which a profile states as an item does."""
    return ItemInput(id=person.id, language=person.language, attributes=person.attributes)
