"""Lifecycle of rows: retention, export and erasure. Every model declares one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class ExportPolicy(StrEnum):
    """Whether the export of a profile or of a tenant contains these rows."""

    NOTHING = "nothing"
    WITH_PROFILE = "with profile"
    WITH_TENANT = "with tenant"


class ErasurePolicy(StrEnum):
    """Whether the erasure of a profile or of a tenant deletes these rows."""

    WITH_PROFILE = "with profile"
    WITH_TENANT = "with tenant"
    RETAINED_AS_EVIDENCE = "kept as evidence"
    NEVER_PERSONAL = "never personal"


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The lifecycle of one model's rows.

    `retention` is None for rows that are kept as long as their tenant exists. With `is_tenant_configurable` the tenant
    may shorten it.
    """

    retention: timedelta | None
    export: ExportPolicy
    erase: ErasurePolicy
    is_tenant_configurable: bool = False


def days(count: int) -> timedelta:
    """Returns a period of `count` days."""
    return timedelta(days=count)
