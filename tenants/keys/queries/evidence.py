"""What outlives the keys."""

from __future__ import annotations

from tenants.keys.models import ShredCertificate, Tombstone
from tenants.keys.results import Certificate
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_scope


def certificate(tenant: TenantRef, *, actor: Actor) -> Certificate | None:
    """None for a tenant whose keys were not destroyed."""
    with keys_scope(tenant, actor=actor):
        row = ShredCertificate.objects.filter(tenant_id=tenant.id).first()
    return Certificate(bytes(row.body), bytes(row.signature), row.signer) if row else None


def tombstones(tenant: TenantRef, *, actor: Actor) -> list[bytes]:
    """Marks of all erasures that a restore has to replay, oldest first."""
    with keys_scope(tenant, actor=actor):
        rows = Tombstone.objects.filter(tenant_id=tenant.id).order_by("erased_at")
        return [bytes(mark) for mark in rows.values_list("mark", flat=True)]
