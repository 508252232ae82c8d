"""Validation of a tenant's fields."""

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
    """The fields of a new tenant, as text; see `_FIELD_RULES` for their form."""

    name: str
    slug: str
    vertical: str
    region: str
    language: str
    currency: str
    time_zone: str
    plan: str


def check_tenant_fields(values: Mapping[str, Any]) -> list[FieldError]:
    """Returns one error per wrong field. Absent fields are not checked."""
    errors = []
    for field, (accepts, detail) in _FIELD_RULES.items():
        if field in values and not accepts(values[field]):
            errors.append(FieldError(f"/{field}", f"invalid_{field}", detail))
    return errors


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return bool(name)


# Field name -> (predicate, detail of the error).
_FIELD_RULES: dict[str, tuple[Callable[[str], bool], str]] = {
    "name": (lambda value: 0 < len(value.strip()) <= 120, "A name has 1 to 120 characters."),
    "slug": (
        lambda value: re.fullmatch(SLUG_PATTERN, value, re.ASCII) is not None,
        "An address name has 3 to 63 lower-case letters, digits and hyphens, and starts with a letter.",
    ),
    "vertical": (
        lambda value: value in Vertical.values,
        f"The industry is one of {', '.join(Vertical.values)}.",
    ),
    "region": (lambda value: value in settings.LEPTON_REGIONS, "There is no such region."),
    "language": (
        lambda value: value in dict(settings.LANGUAGES),
        "The platform does not speak this language.",
    ),
    "currency": (
        lambda value: re.fullmatch(r"[A-Z]{3}", value, re.ASCII) is not None,
        "A currency is three letters, like EUR.",
    ),
    "time_zone": (_is_time_zone, "A time zone is a name like Asia/Shanghai."),
    "plan": (lambda value: value in PLANS, f"The plan is one of {', '.join(PLANS)}."),
}
