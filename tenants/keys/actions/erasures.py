"""The erasure ledger. It is in the keys database, so that erasures can be replayed on a restored data backup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tenants.keys.models import ErasureLedgerEntry
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_scope


def record_tombstones(
    tenant: TenantRef,
    pseudonyms: Sequence[bytes],
    *,
    erased_at: datetime,
    actor: Actor,
) -> list[bytes]:
    """Records erasures in the ledger. A later erasure of the same profile updates its time.

    Args:
        tenant: The tenant of the profiles.
        pseudonyms: Profile keys.
        erased_at: Time of the erasure.
        actor: Opens the keys scope.

    Returns:
        The tombstones of `pseudonyms`, in the same order.

    Raises:
        KeyServiceUnavailable: The keyring can't be loaded.
    """
    keyring = get_keyring(tenant)
    tombstones = [keyring.derive_tombstone(pseudonym) for pseudonym in pseudonyms]
    rows = []
    for tombstone in tombstones:
        rows.append(
            ErasureLedgerEntry(
                tenant_id=tenant.id,
                mark=tombstone,
                erased_at=erased_at,
            )
        )
    with keys_scope(tenant, actor=actor):
        # `replayed` is reset to its default: after a restore the new erasure has to be replayed too.
        ErasureLedgerEntry.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["tenant_id", "mark"],
            update_fields=["erased_at", "replayed"],
        )
    return tombstones


def mark_replayed(tenant: TenantRef, tombstones: Sequence[bytes], *, actor: Actor) -> int:
    """Marks erasures as replayed after a restore. Returns how many were not marked before."""
    with keys_scope(tenant, actor=actor):
        pending = ErasureLedgerEntry.objects.filter(
            tenant_id=tenant.id,
            mark__in=list(tombstones),
            replayed=False,
        )
        return pending.update(replayed=True)
