"""What a tenant's fields may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from django.conf import settings

from tenants.control.models.tenant import SLUG_PATTERN, Vertical
from tenants.control.plans import PLANS
from tenants.errors import FieldError


class TenantInput(TypedDict):
    name: str
    slug: str
    vertical: str
    region: str
    language: str
    currency: str
    time_zone: str
    plan: str


def check_tenant_fields(values: Mapping[str, Any]) -> list[FieldError]:
    """One error for each field that is wrong; fields that are not given are not checked."""
    return [
        FieldError(f"/{field}", f"invalid_{field}", detail)
        for field, (accepts, detail) in _FIELD_RULES.items()
        if field in values and not accepts(values[field])
    ]


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return bool(name)


_FIELD_RULES: dict[str, tuple[Callable[[str], bool], str]] = {
    "name": (lambda v: 0 < len(v.strip()) <= 120, "A name has 1 to 120 characters."),
    "slug": (
        lambda v: re.fullmatch(SLUG_PATTERN, v, re.ASCII) is not None,
        "An address name has 3 to 63 lower-case letters, digits and hyphens, and starts with a letter.",
    ),
    "vertical": (lambda v: v in Vertical.values, f"The industry is one of {', '.join(Vertical.values)}."),
    "region": (lambda v: v in settings.LEPTON_REGIONS, "There is no such region."),
    "language": (lambda v: v in dict(settings.LANGUAGES), "The platform does not speak this language."),
    "currency": (
        lambda v: re.fullmatch(r"[A-Z]{3}", v, re.ASCII) is not None,
        "A currency is three letters, like EUR.",
    ),
    "time_zone": (_is_time_zone, "A time zone is a name like Asia/Shanghai."),
    "plan": (lambda v: v in PLANS, f"The plan is one of {', '.join(PLANS)}."),
}
