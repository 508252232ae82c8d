"""Attributes of items and profiles as feature tables, without denied attributes. No model reads them yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from recommender.features.denied_attributes import DeniedAttributes, normalize_name
from recommender.features.encoders import FeatureTable
from recommender.features.specification import (
    Feature,
    FeatureKind,
    FeatureRole,
    FeatureSpecification,
)
from recommender.tenant_data.paging import iter_item_pages, iter_profile_pages
from tenants.data.presets import list_denied_attributes
from tenants.data.queries import tenant_state
from tenants.data.queries.consent import allows_profiling, parse_consent
from tenants.data.types import ItemInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

_ITEM_FIELDS = ("brand", "categories", "language", "price", "tags")
_LABEL_SEPARATOR = re.compile("[:=：]")


@dataclass(
    frozen=True,
    slots=True,
)
class FeatureData:
    """A table of attributes, one column for each name, with its specification.

    `denied_names` were found and left out; neither they nor their values are in the table.
    """

    specification: FeatureSpecification
    table: FeatureTable
    denied_names: tuple[str, ...]


def load_item_features(tenant: TenantRef, *, actor: Actor) -> FeatureData:
    """Attributes of live items by ascending item number; a catalogue field takes precedence over an attribute of its name."""
    builder = _create_builder(tenant, actor)
    items: dict[int, ItemInput] = {}
    for page in iter_item_pages(tenant, actor=actor):
        for stored in page:
            if stored.live:
                items[stored.item_no] = stored.item
    for number in sorted(items):
        # Popped, so that memory does not hold all items and all rows at once.
        item = items.pop(number)
        row = {name: getattr(item, name) for name in _ITEM_FIELDS}
        for name, value in item.attributes.items():
            row.setdefault(name, value)
        builder.add_row(row)
    return builder.build_feature_data("item")


def load_user_features(tenant: TenantRef, *, actor: Actor) -> FeatureData:
    """Attributes of profiles whose consent allows it, in the order of their keys; empty without personalisation."""
    builder = _create_builder(tenant, actor)
    for page in iter_profile_pages(tenant, actor=actor):
        for profile in page.profiles.values():
            if allows_profiling(page.state.privacy, parse_consent(profile)):
                builder.add_row({"language": profile.language, **profile.attributes})
    return builder.build_feature_data("user")


def _create_builder(tenant: TenantRef, actor: Actor) -> _FeatureTableBuilder:
    with scope(tenant, actor=actor) as s:
        state = tenant_state.get_state(s)
    return _FeatureTableBuilder(list_denied_attributes(state.vertical, state.privacy))


class _FeatureTableBuilder:
    """Collects rows of attributes; denied attributes are dropped when a row is added."""

    def __init__(self, denied_attributes: tuple[str, ...]) -> None:
        self._denied_attributes = denied_attributes
        self._denied = DeniedAttributes(denied_attributes)
        # Whether each name that was found may be used.
        self._allowed_names: dict[str, bool] = {}
        # The first spelling of each normalised name.
        self._names: dict[str, str] = {}
        self._rows: list[dict[str, object]] = []

    def add_row(self, attributes: Mapping[str, object]) -> None:
        """Adds one item or profile; of two spellings of one name the first is used."""
        row: dict[str, object] = {}
        for name, value in attributes.items():
            key = normalize_name(name)
            if not key or not self._is_allowed(name) or value is None or value == []:
                continue
            row.setdefault(key, self._drop_denied_labels(value) if isinstance(value, list) else value)
            self._names.setdefault(key, name)
        self._rows.append(row)

    def build_feature_data(self, role: FeatureRole) -> FeatureData:
        """The table of all rows; None where a row lacks an attribute."""
        table = {name: [row.get(key) for row in self._rows] for key, name in self._names.items()}
        features: list[Feature] = []
        for name, values in table.items():
            features.append(Feature(name, role, _infer_feature_kind(values), personal=role == "user"))
        denied_names = [name for name, is_allowed in self._allowed_names.items() if not is_allowed]
        return FeatureData(
            specification=FeatureSpecification(tuple(features), self._denied_attributes),
            table=table,
            denied_names=tuple(sorted(denied_names)),
        )

    def _drop_denied_labels(self, labels: list[str]) -> list[str]:
        """Without labels that contain a denied name, such as "gender:female"."""
        allowed_labels: list[str] = []
        for label in labels:
            parts = _LABEL_SEPARATOR.split(label, maxsplit=1)
            if len(parts) == 1 or self._is_allowed(parts[0]):
                allowed_labels.append(label)
        return allowed_labels

    def _is_allowed(self, name: str) -> bool:
        if name not in self._allowed_names:
            self._allowed_names[name] = not self._denied.find_denied_match(name)
        return self._allowed_names[name]


def _infer_feature_kind(values: list[object]) -> FeatureKind:
    """Tags if any value is a list, numeric if all are numbers, else categorical."""
    is_numeric = True
    for value in values:
        if value is None:
            continue
        if isinstance(value, list):
            return "tags"
        if isinstance(value, bool) or not isinstance(value, int | float):
            is_numeric = False
    return "numeric" if is_numeric else "categorical"
