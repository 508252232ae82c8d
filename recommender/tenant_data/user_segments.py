"""Language and place of profiles and items, as segments for sliced evaluation.

No model reads them. An attribute that is denied for the tenant makes no segments either.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from recommender.evaluation.slices import SegmentColumn
from recommender.features.denied_attributes import DeniedAttributes, normalize_name
from recommender.tenant_data.paging import iter_profile_pages
from tenants.data.presets import list_denied_attributes
from tenants.data.types import ProfileInput
from tenants.regions import TenantRef
from tenants.scope import Actor

AttributeValues = tuple[str, ...]
"""One value for each of SEGMENT_ATTRIBUTES; "" where a profile has none."""

SEGMENT_ATTRIBUTES = ("language", "country", "region")
NO_VALUES: AttributeValues = ("",) * len(SEGMENT_ATTRIBUTES)
MAX_VALUES = 20
_MAX_VALUE_LENGTH = 40
_LOCALE_CODE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,2}")


def load_profile_attributes(tenant: TenantRef, *, actor: Actor) -> dict[bytes, AttributeValues]:
    """Values by profile key, of the profiles that have any; empty without personalisation.

    Memory is a key and a reference for each profile: equal values are stored once.
    """
    values_by_key: dict[bytes, AttributeValues] = {}
    unique_values: dict[AttributeValues, AttributeValues] = {}
    for page in iter_profile_pages(tenant, actor=actor):
        denials = DeniedAttributes(list_denied_attributes(page.state.vertical, page.state.privacy))
        names = tuple(name for name in SEGMENT_ATTRIBUTES if not denials.find_denied_match(name))
        for key, profile in page.profiles.items():
            values = _extract_attribute_values(profile, names)
            if any(values):
                values_by_key[key] = unique_values.setdefault(values, values)
    return values_by_key


def encode_segments(rows: Sequence[AttributeValues]) -> tuple[SegmentColumn, ...]:
    """One column for each of SEGMENT_ATTRIBUTES of which any row has a value."""
    columns: list[SegmentColumn] = []
    for index, name in enumerate(SEGMENT_ATTRIBUTES):
        column = encode_column(name, [row[index] for row in rows])
        if column.values:
            columns.append(column)
    return tuple(columns)


def encode_column(name: str, values: Sequence[str]) -> SegmentColumn:
    """The MAX_VALUES most frequent values as codes, in order of frequency; -1 for other values and none.

    Values that are not language or country codes, such as "zh-Hans" or "DE", are named "#1", "#2", …, because metrics are stored
    unencrypted and must not contain text of a tenant.
    """
    counts = Counter(value for value in values if value)
    frequent_values = [value for value, _count in counts.most_common(MAX_VALUES)]
    code_by_value = {value: code for code, value in enumerate(frequent_values)}
    # fromiter with a count fills the array without an intermediate list.
    codes = np.fromiter((code_by_value.get(value, -1) for value in values), np.int32, len(values))
    names: list[str] = []
    for number, value in enumerate(frequent_values, start=1):
        names.append(value if _LOCALE_CODE.fullmatch(value) else f"#{number}")
    return SegmentColumn(name, codes, tuple(names))


def _extract_attribute_values(profile: ProfileInput, names: Sequence[str]) -> AttributeValues:
    attributes: dict[str, object] = {}
    for name, value in profile.attributes.items():
        attributes[normalize_name(name)] = value
    if profile.language:
        # The field of the profile takes precedence over an attribute of that name.
        attributes["language"] = profile.language
    return tuple(_clean_value(attributes.get(name)) if name in names else "" for name in SEGMENT_ATTRIBUTES)


def _clean_value(value: object) -> str:
    return value.strip()[:_MAX_VALUE_LENGTH] if isinstance(value, str) else ""
