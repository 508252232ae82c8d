from __future__ import annotations

from tenants import audit
from tenants.crypto import KeyHandle, Purpose
from tenants.errors import Conflict
from tenants.keys.actions.locking import add_purpose_keys, lock_kek_row
from tenants.keys.fields import generate_id
from tenants.keys.models import KeyState, PurposeKey, ShredCertificate, TenantKey
from tenants.keys.queries import forget_keyring
from tenants.keys.wrapped_keys import unwrap_kek, wrap_kek
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_scope


def create_tenant_keys(tenant: TenantRef, *, actor: Actor) -> list[Purpose]:
    """Creates the tenant's KEK and one active key per purpose, as far as they are missing. Idempotent.

    Returns the purposes whose keys were created. Raises Conflict for a shredded tenant, KeyServiceUnavailable.
    """
    with keys_scope(tenant, actor=actor) as s:
        if ShredCertificate.objects.filter(tenant_id=tenant.id).exists():
            raise Conflict("The keys of this tenant were destroyed for good.")
        _ensure_kek(tenant)
        kek_row = lock_kek_row(tenant)
        missing = _find_missing_purposes(tenant)
        if missing:
            kek = unwrap_kek(kek_row, region=tenant.region)
            add_purpose_keys(
                tenant,
                missing,
                state=KeyState.ACTIVE,
                kek_row=kek_row,
                kek=kek,
            )
            audit.record_entry(s, "keys.created", str(tenant.id), purposes=len(missing))
    forget_keyring(tenant)
    return missing


def _ensure_kek(tenant: TenantRef) -> None:
    if TenantKey.objects.filter(tenant_id=tenant.id, state=KeyState.ACTIVE).exists():
        return
    row = TenantKey(
        tenant_id=tenant.id,
        id=generate_id(),
        version=1,
        state=KeyState.ACTIVE,
    )
    row.wrapped = wrap_kek(row, KeyHandle.generate(), region=tenant.region)
    # Of two concurrent calls one inserts; the unique constraint on (tenant, version) makes the other a no-op.
    TenantKey.objects.bulk_create([row], ignore_conflicts=True)


def _find_missing_purposes(tenant: TenantRef) -> list[Purpose]:
    active = PurposeKey.objects.filter(tenant_id=tenant.id, state=KeyState.ACTIVE)
    present = set(active.values_list("purpose", flat=True))
    return [purpose for purpose in Purpose if purpose.value not in present]
