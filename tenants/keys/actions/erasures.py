"""The ledger of erasures. It lies beside the keys, so that a restored backup of the data can be put right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tenants.keys.models import Tombstone
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_scope


def record_tombstones(
    tenant: TenantRef, pseudonyms: Sequence[bytes], *, erased_at: datetime, actor: Actor
) -> list[bytes]:
    """The marks, in order; a later erasure of the same profile moves its time. Raises KeyServiceUnavailable."""
    marks = [get_keyring(tenant).derive_tombstone(pseudonym) for pseudonym in pseudonyms]
    with keys_scope(tenant, actor=actor):
        rows = [Tombstone(tenant_id=tenant.id, mark=mark, erased_at=erased_at) for mark in marks]
        Tombstone.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["tenant_id", "mark"],
            update_fields=["erased_at", "replayed"],
        )
    return marks


def mark_replayed(tenant: TenantRef, tombstones: Sequence[bytes], *, actor: Actor) -> int:
    """After a restore, once the erased rows are gone again. Returns how many were newly marked."""
    with keys_scope(tenant, actor=actor):
        waiting = Tombstone.objects.filter(tenant_id=tenant.id, mark__in=list(tombstones), replayed=False)
        return waiting.update(replayed=True)
