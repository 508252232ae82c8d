"""The tenant's rules, made ready: which profiles they speak of, and which items they raise or lower."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.features.specification import DeniedAttributes
from recommender.serving.catalogue.filters import ATTRIBUTE_PREFIX, ItemFilter, parse_filter
from recommender.serving.catalogue.index import BoolArray, CatalogueIndex
from recommender.types import Float32Array
from tenants.data.types import ItemInput, ProfileInput, RuleInput
from tenants.errors import Invalid

PROFILE_FIELDS = ("language",)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """`profile` is None for a rule that is for everybody."""

    id: str
    profile_filter: ItemFilter | None
    item_filter: ItemFilter
    weight: float

    def is_for_profile(self, profile: ProfileInput | None) -> bool:
        if self.profile_filter is None:
            return True
        return profile is not None and self.profile_filter.is_match(_to_item_input(profile))


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A rule that speaks of the person, and the slots it names."""

    id: str
    weight: float
    slot_mask: BoolArray


@dataclass(frozen=True, slots=True)
class CompiledRules:
    rules: tuple[CompiledRule, ...] = ()

    @property
    def has_profile_rules(self) -> bool:
        """Whether any of them asks who the profile is."""
        return any(rule.profile_filter is not None for rule in self.rules)

    def find_active_rules(self, catalogue: CatalogueIndex, profile: ProfileInput | None) -> list[ActiveRule]:
        """Those that speak of this person and name an item that is open; None is somebody of whom nothing may be known."""
        found = [
            ActiveRule(rule.id, rule.weight, catalogue.build_mask(rule.item_filter))
            for rule in self.rules
            if rule.weight and rule.is_for_profile(profile)
        ]
        return [one for one in found if one.slot_mask.any()]


def compute_rule_boosts(active_rules: Iterable[ActiveRule], n_slots: int) -> Float32Array:
    """float32 (slots): the sum of the weights of the rules that name an item."""
    total = np.zeros(n_slots, dtype=np.float32)
    for one in active_rules:
        total[one.slot_mask] += np.float32(one.weight)
    return total


def compile_rules(inputs: Sequence[RuleInput], denied_attributes: Iterable[str]) -> CompiledRules:
    """Without rules that were allowed once and read what may not be read any more."""
    denials = DeniedAttributes(denied_attributes)
    return CompiledRules(tuple(rule for one in inputs if (rule := _compile_rule(one, denials)) is not None))


def parse_rule_filters(rule: RuleInput) -> tuple[ItemFilter | None, ItemFilter | None]:
    """The tests on profiles and on items; None where there are none. Raises Invalid, with pointers into the rule."""
    return parse_filter(rule.profile, pointer="/profile", fields=PROFILE_FIELDS), parse_filter(
        rule.items, pointer="/items"
    )


def find_denied_names(rule: RuleInput, denials: DeniedAttributes) -> list[tuple[str, str, str]]:
    """(pointer, name, the denied name it amounts to) of the attributes and marked labels that may not be read."""
    found = []
    for part, tests in (("profile", rule.profile), ("items", rule.items)):
        for field, test in tests.items():
            names = [field.removeprefix(ATTRIBUTE_PREFIX), *_extract_name_prefixes(test.values())]
            found += [
                (f"/{part}/{field}", name, why) for name in names if (why := denials.find_denied_match(name))
            ]
    return found


def _extract_name_prefixes(values: Iterable[object]) -> list[str]:
    """Names that stand in values, like the first half of "gender:female"."""
    listed = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return [one.split(":", 1)[0] for one in listed if isinstance(one, str) and ":" in one]


def _compile_rule(rule: RuleInput, denials: DeniedAttributes) -> CompiledRule | None:
    try:
        profile, items = parse_rule_filters(rule)
    except Invalid:
        return None
    if items is None or find_denied_names(rule, denials):
        return None
    return CompiledRule(rule.id, profile, items, rule.weight)


def _to_item_input(profile: ProfileInput) -> ItemInput:
    """Tests read language and attributes, which a profile states as an item does."""
    return ItemInput(id=profile.id, language=profile.language, attributes=profile.attributes)
