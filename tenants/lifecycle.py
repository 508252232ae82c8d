"""How long a kind of row is kept, and what export and erasure do with it. Every model states it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class ExportPolicy(StrEnum):
    """What a person's or tenant's export holds of these rows."""

    NOTHING = "nothing"
    WITH_PROFILE = "with profile"
    WITH_TENANT = "with tenant"


class ErasurePolicy(StrEnum):
    """What erasing a person or a tenant does to these rows."""

    WITH_PROFILE = "with profile"
    WITH_TENANT = "with tenant"
    RETAINED_AS_EVIDENCE = "kept as evidence"
    NEVER_PERSONAL = "never personal"


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """`kept_for` is None for rows that live as long as their tenant; `tenant_sets` when the tenant may shorten it."""

    retention: timedelta | None
    export: ExportPolicy
    erase: ErasurePolicy
    is_tenant_configurable: bool = False


def days(count: int) -> timedelta:
    return timedelta(days=count)
