"""Compiles the tenant's rules and finds those that apply to a user, and the items they raise or lower."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.features.denied_attributes import DeniedAttributes
from recommender.serving.catalogue.filters import ATTRIBUTE_PREFIX, ItemFilter, parse_filter
from recommender.serving.catalogue.index import BoolArray, CatalogueIndex
from recommender.types import Float32Array
from tenants.data.types import ItemInput, ProfileInput, RuleInput
from tenants.errors import Invalid

PROFILE_FIELDS = ("language",)


@dataclass(
    frozen=True,
    slots=True,
)
class CompiledRule:
    """A rule with parsed filters; `profile_filter` is None for a rule that applies to every user."""

    id: str
    profile_filter: ItemFilter | None
    item_filter: ItemFilter
    weight: float

    def is_for_profile(self, profile: ProfileInput | None) -> bool:
        """Whether the rule applies; None is a user whose attributes are unknown or may not be used."""
        if self.profile_filter is None:
            return True
        return profile is not None and self.profile_filter.is_match(_to_item_input(profile))


@dataclass(
    frozen=True,
    slots=True,
)
class ActiveRule:
    """A rule that applies to the user, and the slots that it matches."""

    id: str
    weight: float
    slot_mask: BoolArray


@dataclass(
    frozen=True,
    slots=True,
)
class CompiledRules:
    """All rules of a tenant that may be applied."""

    rules: tuple[CompiledRule, ...] = ()

    @property
    def has_profile_rules(self) -> bool:
        """Whether any rule tests attributes of the profile."""
        return any(rule.profile_filter is not None for rule in self.rules)

    def find_active_rules(self, catalogue: CatalogueIndex, profile: ProfileInput | None) -> list[ActiveRule]:
        """Rules with a weight that apply to the user and match an item that may be shown.

        `profile` is None for a user whose attributes are unknown or may not be used.
        """
        active_rules: list[ActiveRule] = []
        for rule in self.rules:
            if rule.weight == 0 or not rule.is_for_profile(profile):
                continue
            # Rules without a match are dropped here, so that they do not select the stage `knowledge`.
            slot_mask = catalogue.build_mask(rule.item_filter)
            if slot_mask.any():
                active_rules.append(ActiveRule(rule.id, rule.weight, slot_mask))
        return active_rules


@dataclass(
    frozen=True,
    slots=True,
)
class RuleFilters:
    """The parsed tests of a rule; None where it has none."""

    profile: ItemFilter | None
    items: ItemFilter | None


@dataclass(
    frozen=True,
    slots=True,
)
class DeniedName:
    """A name in a rule that may not be read; `denied_attribute` is the denied attribute that it is equivalent to."""

    pointer: str
    name: str
    denied_attribute: str


def compute_rule_boosts(active_rules: Iterable[ActiveRule], n_slots: int) -> Float32Array:
    """float32 (slots): the sum of the weights of the rules that match each slot."""
    boosts = np.zeros(n_slots, dtype=np.float32)
    for rule in active_rules:
        boosts[rule.slot_mask] += np.float32(rule.weight)
    return boosts


def compile_rules(inputs: Sequence[RuleInput], denied_attributes: Iterable[str]) -> CompiledRules:
    """Compiles stored rules; leaves out rules that are invalid or read a denied attribute.

    Such rules can be stored: they were valid when they were sent, before the tenant's denied attributes changed.
    """
    denials = DeniedAttributes(denied_attributes)
    compiled_rules = (_compile_rule(rule, denials) for rule in inputs)
    return CompiledRules(tuple(rule for rule in compiled_rules if rule is not None))


def parse_rule_filters(rule: RuleInput) -> RuleFilters:
    """Parses the conditions on profiles and on items. Raises Invalid, with pointers into the rule."""
    return RuleFilters(
        profile=parse_filter(
            rule.profile,
            pointer="/profile",
            fields=PROFILE_FIELDS,
        ),
        items=parse_filter(rule.items, pointer="/items"),
    )


def find_denied_names(rule: RuleInput, denials: DeniedAttributes) -> list[DeniedName]:
    """Names of attributes, and names before a colon in values, that may not be read."""
    denied_names: list[DeniedName] = []
    for section, conditions in (("profile", rule.profile), ("items", rule.items)):
        for field, operands in conditions.items():
            for name in [field.removeprefix(ATTRIBUTE_PREFIX), *_extract_name_prefixes(operands.values())]:
                denied_attribute = denials.find_denied_match(name)
                if denied_attribute:
                    denied_names.append(DeniedName(f"/{section}/{field}", name, denied_attribute))
    return denied_names


def _extract_name_prefixes(values: Iterable[object]) -> list[str]:
    """Names before a colon in values, such as "gender" in the tag "gender:female"."""
    names: list[str] = []
    for value in values:
        for label in value if isinstance(value, list) else [value]:
            if isinstance(label, str) and ":" in label:
                names.append(label.split(":", 1)[0])
    return names


def _compile_rule(rule: RuleInput, denials: DeniedAttributes) -> CompiledRule | None:
    try:
        filters = parse_rule_filters(rule)
    except Invalid:
        return None
    if filters.items is None or find_denied_names(rule, denials):
        return None
    return CompiledRule(
        rule.id,
        filters.profile,
        filters.items,
        rule.weight,
    )


def _to_item_input(profile: ProfileInput) -> ItemInput:
    """Filters read items; a profile has the same fields `language` and `attributes`."""
    return ItemInput(
        id=profile.id,
        language=profile.language,
        attributes=profile.attributes,
    )
