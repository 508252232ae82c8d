"""What outlives the keys."""

from __future__ import annotations

from datetime import datetime

from tenants.keys.models import ShredCertificate, Tombstone
from tenants.keys.results import SignedCertificate
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_scope


def get_certificate(tenant: TenantRef, *, actor: Actor) -> SignedCertificate | None:
    """None for a tenant whose keys were not destroyed."""
    with keys_scope(tenant, actor=actor):
        row = ShredCertificate.objects.filter(tenant_id=tenant.id).first()
    return SignedCertificate(bytes(row.body), bytes(row.signature), row.signer) if row else None


def list_erasure_times(tenant: TenantRef, *, actor: Actor) -> dict[bytes, datetime]:
    """When each mark of the ledger was erased last; oldest first. What a restore has to replay."""
    with keys_scope(tenant, actor=actor):
        rows = Tombstone.objects.filter(tenant_id=tenant.id).order_by("erased_at")
        return {bytes(mark): at for mark, at in rows.values_list("mark", "erased_at")}


def list_tombstones(tenant: TenantRef, *, actor: Actor) -> list[bytes]:
    """Marks of all erasures, oldest first."""
    return list(list_erasure_times(tenant, actor=actor))
