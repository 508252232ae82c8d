"""Which keys exist, without the keys: for staff pages, commands and sweepers."""

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
    key_id: int
    purpose: Purpose
    state: KeyState
    kek_version: int
    created_at: datetime
    retired_at: datetime | None


def list_keys(tenant: TenantRef, *, actor: Actor) -> list[KeyView]:
    """By purpose, then oldest first; destroyed ones too."""
    with keys_scope(tenant, actor=actor):
        rows = PurposeKey.objects.filter(tenant_id=tenant.id).order_by("purpose", "created_at")
        return [
            KeyView(
                row.key_id,
                Purpose(row.purpose),
                KeyState(row.state),
                row.kek_version,
                row.created_at,
                row.retired_at,
            )
            for row in rows
        ]


def list_tenants_with_keys(region: str, *, actor: Actor) -> list[UUID]:
    """Tenants of `region` that were not shredded, by id."""
    with keys_ops(region, "list-tenant-keys", actor=actor, reason="rotation visits every tenant of a region"):
        active = TenantKey.objects.filter(state=KeyState.ACTIVE).order_by("tenant_id")
        return list(active.values_list("tenant_id", flat=True))
