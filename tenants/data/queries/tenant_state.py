"""Queries on the tenant's settings and counters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from tenants.data.types import EventKind, PrivacySettings, SpaceState
from tenants.errors import NotFound
from tenants.scope import Scope

COLUMNS = "vertical, privacy::text, event_kinds::text, catalogue_version, tombstones, last_event_at"
SELECT = f"SELECT {COLUMNS} FROM data_tenantstate WHERE tenant_id = %s"  # noqa: S608 - constant columns
_privacy_decoder = msgspec.json.Decoder(PrivacySettings)
_kinds_decoder = msgspec.json.Decoder(dict[str, EventKind])


def get_state(s: Scope) -> SpaceState:
    """Returns the tenant's state. Raises NotFound if its space is not open in this region."""
    return from_row(s.cursor().execute(SELECT, (s.tenant_id,), prepare=True).fetchone())


def is_open(s: Scope) -> bool:
    """Returns whether the tenant's space is open in this region."""
    return s.cursor().execute(SELECT, (s.tenant_id,)).fetchone() is not None


def from_row(row: tuple[Any, ...] | None) -> SpaceState:
    """Converts a row of COLUMNS. Raises NotFound for None."""
    if row is None:
        raise NotFound("This tenant's space is not open in this region.")
    vertical, privacy, kinds, version, tombstones, last_event_at = row
    return SpaceState(
        vertical=vertical,
        privacy=_privacy_decoder.decode(privacy),
        event_kinds=_kinds_decoder.decode(kinds),
        catalogue_version=version,
        tombstones=tombstones,
        last_event_at=last_event_at if isinstance(last_event_at, datetime) else None,
    )
