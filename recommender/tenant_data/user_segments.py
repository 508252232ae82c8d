"""What profiles and items state about language and place: the groups by which a model is also judged.

No model reads these. A name that the vertical denies as a feature makes no group either.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from recommender.evaluation.slices import SegmentColumn
from recommender.features.specification import DeniedAttributes, normalize_name
from tenants.data.presets import list_denied_attributes
from tenants.data.queries import profiles, tenant_state
from tenants.data.types import ProfileInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

AttributeValues = tuple[str, ...]

SEGMENT_ATTRIBUTES = ("language", "country", "region")
MAX_VALUES = 20
_PAGE_SIZE = 5_000
_LOCALE_CODE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,2}")


def load_profile_attributes(tenant: TenantRef, *, actor: Actor) -> dict[bytes, AttributeValues]:
    """A value for each of NAMES, "" where none is stated; only profiles that state any. Nobody without personalisation.

    Memory is a key and three short words for each of them."""
    stated: dict[bytes, AttributeValues] = {}
    shared: dict[AttributeValues, AttributeValues] = {}
    after = b""
    while True:
        with scope(tenant, actor=actor) as s:
            state = tenant_state.get_state(s)
            page = profiles.list_profiles(s, after=after, limit=_PAGE_SIZE)
        if not page or state.privacy.personalisation == "off":
            return stated
        denials = DeniedAttributes(list_denied_attributes(state.vertical, state.privacy))
        names = tuple(name for name in SEGMENT_ATTRIBUTES if not denials.find_denied_match(name))
        for key, profile in page.items():
            values = _extract_attribute_values(profile, names)
            if any(values):
                stated[key] = shared.setdefault(values, values)
        after = max(page)


def encode_segments(rows: Sequence[AttributeValues]) -> tuple[SegmentColumn, ...]:
    """One label for each of NAMES that any row states: the row's number of its value, or -1."""
    found = [
        encode_column(name, [row[place] for row in rows]) for place, name in enumerate(SEGMENT_ATTRIBUTES)
    ]
    return tuple(one for one in found if one.values)


def encode_column(name: str, values: Sequence[str]) -> SegmentColumn:
    """The most frequent values, by number. A value that is no code like "zh-Hans" or "DE" is called "#1", "#2", ..:
    measures stand in clear, and they hold no word of a tenant."""
    counts = Counter(value for value in values if value)
    ordered = [value for value, _count in counts.most_common(MAX_VALUES)]
    numbers = {value: number for number, value in enumerate(ordered)}
    of_row = np.fromiter((numbers.get(value, -1) for value in values), np.int32, len(values))
    shown = tuple(
        v if _LOCALE_CODE.fullmatch(v) else f"#{number}" for number, v in enumerate(ordered, start=1)
    )
    return SegmentColumn(name, of_row, shown)


def _extract_attribute_values(profile: ProfileInput, names: Sequence[str]) -> AttributeValues:
    attributes = {normalize_name(name): value for name, value in profile.attributes.items()}
    stated = {**attributes, **({"language": profile.language} if profile.language else {})}
    return tuple(_clean_value(stated.get(name)) if name in names else "" for name in SEGMENT_ATTRIBUTES)


def _clean_value(value: object) -> str:
    return value.strip()[:40] if isinstance(value, str) else ""
