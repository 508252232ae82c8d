"""Specification of features: which attributes a model may read. No other attribute becomes a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from recommender.features.denied_attributes import DeniedAttributes, normalize_name, split_identifier
from recommender.types import DataError

FeatureRole = Literal["user", "item", "context"]
FeatureKind = Literal["categorical", "numeric", "time", "tags", "text"]


@dataclass(frozen=True, slots=True)
class Feature:
    """An attribute of users, items or the context.

    personal: whether it describes one person; item features cannot be personal.
    allowed: False for an attribute that is specified but must not become a column.
    """

    name: str
    role: FeatureRole
    kind: FeatureKind
    personal: bool = False
    allowed: bool = True

    def __post_init__(self) -> None:
        if not split_identifier(self.name):
            raise DataError(f"The feature name {self.name!r} holds no word.")
        roles, kinds = get_args(FeatureRole), get_args(FeatureKind)
        if self.role not in roles:
            raise DataError(f"The role {self.role!r} of {self.name!r} is none of {', '.join(roles)}.")
        if self.kind not in kinds:
            raise DataError(f"The kind {self.kind!r} of {self.name!r} is none of {', '.join(kinds)}.")
        if self.personal and self.role == "item":
            raise DataError(f"The item feature {self.name!r} cannot be personal: items are no persons.")


@dataclass(frozen=True, slots=True)
class FeatureSpecification:
    """Features without contradictions, none of them a denied attribute.

    Raises DataError where a feature is specified twice, or an allowed feature matches a denied attribute.
    """

    features: tuple[Feature, ...]
    denied_attributes: tuple[str, ...]

    def __post_init__(self) -> None:
        features_by_name: dict[str, Feature] = {}
        denied_attributes = DeniedAttributes(self.denied_attributes)
        for feature in self.features:
            earlier = features_by_name.setdefault(normalize_name(feature.name), feature)
            if earlier is not feature:
                raise DataError(_describe_conflict(earlier, feature))
            denied_match = denied_attributes.find_denied_match(feature.name)
            if feature.allowed and denied_match:
                raise DataError(
                    f"The feature {feature.name!r} may not be used: {denied_match!r} is a denied attribute."
                )

    def select_features(self, role: FeatureRole) -> tuple[Feature, ...]:
        """The allowed features of a role, in the order of the specification."""
        return tuple(feature for feature in self.features if feature.role == role and feature.allowed)


def _describe_conflict(earlier: Feature, later: Feature) -> str:
    for attribute in ("kind", "role", "personal", "allowed"):
        first_value, second_value = getattr(earlier, attribute), getattr(later, attribute)
        if first_value != second_value:
            return (
                f"The feature {later.name!r} is specified twice with a different {attribute}: "
                f"{first_value} and {second_value}."
            )
    return f"The feature {later.name!r} is specified twice."
