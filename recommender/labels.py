"""What profiles and items state about language and place: the groups by which a model is also judged.

No model reads these. A name that the vertical denies as a feature makes no group either.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from recommender.features.specification import Denials, same_name
from recommender.types import Ints
from tenants.data.presets import never_features
from tenants.data.queries import profiles, space
from tenants.data.types import ProfileInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

Label = tuple[str, Ints, tuple[str, ...]]
Stated = tuple[str, ...]

NAMES = ("language", "country", "region")
MOST_VALUES = 20
_PAGE = 5_000
_CODE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,2}")


def of_profiles(tenant: TenantRef, *, actor: Actor) -> dict[bytes, Stated]:
    """A value for each of NAMES, "" where none is stated; only profiles that state any. Nobody without personalisation.

    Memory is a key and three short words for each of them."""
    stated: dict[bytes, Stated] = {}
    shared: dict[Stated, Stated] = {}
    after = b""
    while True:
        with scope(tenant, actor=actor) as s:
            state = space.state(s)
            page = profiles.page(s, after=after, limit=_PAGE)
        if not page or state.privacy.personalisation == "off":
            return stated
        denials = Denials(never_features(state.vertical, state.privacy))
        names = tuple(name for name in NAMES if not denials.reason(name))
        for key, profile in page.items():
            values = _of(profile, names)
            if any(values):
                stated[key] = shared.setdefault(values, values)
        after = max(page)


def columns(rows: Sequence[Stated]) -> tuple[Label, ...]:
    """One label for each of NAMES that any row states: the row's number of its value, or -1."""
    found = [column(name, [row[place] for row in rows]) for place, name in enumerate(NAMES)]
    return tuple(one for one in found if one[2])


def column(name: str, given: Sequence[str]) -> Label:
    """The most frequent values, by number. A value that is no code like "zh-Hans" or "DE" is called "#1", "#2", ..:
    measures stand in clear, and they hold no word of a tenant."""
    counts = Counter(value for value in given if value)
    ordered = [value for value, _count in counts.most_common(MOST_VALUES)]
    numbers = {value: number for number, value in enumerate(ordered)}
    of_row = np.fromiter((numbers.get(value, -1) for value in given), np.int32, len(given))
    shown = tuple(v if _CODE.fullmatch(v) else f"#{number}" for number, v in enumerate(ordered, start=1))
    return name, of_row, shown


def _of(profile: ProfileInput, names: Sequence[str]) -> Stated:
    attributes = {same_name(name): value for name, value in profile.attributes.items()}
    stated = {**attributes, **({"language": profile.language} if profile.language else {})}
    return tuple(_word(stated.get(name)) if name in names else "" for name in NAMES)


def _word(value: object) -> str:
    return value.strip()[:40] if isinstance(value, str) else ""
