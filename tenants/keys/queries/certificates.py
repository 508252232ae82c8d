"""Records that remain after keys were destroyed or profiles erased."""

from __future__ import annotations

from datetime import datetime

from tenants.keys.models import ErasureLedgerEntry, ShredCertificate
from tenants.keys.results import SignedCertificate
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_scope


def get_certificate(tenant: TenantRef, *, actor: Actor) -> SignedCertificate | None:
    """Returns the certificate of the tenant's crypto-shredding, or None if its keys were not destroyed."""
    with keys_scope(tenant, actor=actor):
        row = ShredCertificate.objects.filter(tenant_id=tenant.id).first()
    if row is None:
        return None
    return SignedCertificate(bytes(row.body), bytes(row.signature), row.signer)


def list_erasure_times(tenant: TenantRef, *, actor: Actor) -> dict[bytes, datetime]:
    """Returns tombstone -> time of the last erasure for the whole ledger, oldest first."""
    with keys_scope(tenant, actor=actor):
        rows = ErasureLedgerEntry.objects.filter(tenant_id=tenant.id).order_by("erased_at")
        return {bytes(mark): at for mark, at in rows.values_list("mark", "erased_at")}


def list_tombstones(tenant: TenantRef, *, actor: Actor) -> list[bytes]:
    """Returns the tombstones of all erasures, oldest first."""
    return list(list_erasure_times(tenant, actor=actor))
