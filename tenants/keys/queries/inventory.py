"""The inventory of keys without key material: for staff pages, commands and maintenance tasks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenants.crypto import Purpose
from tenants.keys.models import KeyState, PurposeKey, TenantKey
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_ops, keys_scope


@dataclass(frozen=True, slots=True)
class KeyView:
    """A purpose key without its material."""

    key_id: int
    purpose: Purpose
    state: KeyState
    kek_version: int
    created_at: datetime
    retired_at: datetime | None


def list_keys(tenant: TenantRef, *, actor: Actor) -> list[KeyView]:
    """Returns all purpose keys, destroyed ones included, ordered by purpose, then by age, oldest first."""
    views = []
    with keys_scope(tenant, actor=actor):
        for row in PurposeKey.objects.filter(tenant_id=tenant.id).order_by("purpose", "created_at"):
            view = KeyView(
                key_id=row.key_id,
                purpose=Purpose(row.purpose),
                state=KeyState(row.state),
                kek_version=row.kek_version,
                created_at=row.created_at,
                retired_at=row.retired_at,
            )
            views.append(view)
    return views


def list_tenants_with_keys(region: str, *, actor: Actor) -> list[UUID]:
    """Returns the ids of the region's tenants with an active KEK, in ascending order; shredded tenants have none."""
    with keys_ops(region, "list-tenant-keys", actor=actor, reason="rotation visits every tenant of a region"):
        active = TenantKey.objects.filter(state=KeyState.ACTIVE).order_by("tenant_id")
        return list(active.values_list("tenant_id", flat=True))
