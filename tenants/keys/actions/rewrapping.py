"""New KEKs: keys are wrapped anew, no data row is touched, cached keyrings stay valid."""

from __future__ import annotations

from django.utils import timezone

from tenants import audit
from tenants.crypto import KeyHandle
from tenants.errors import NotFound
from tenants.keys.actions.locking import lock_kek_row
from tenants.keys.fields import generate_id
from tenants.keys.models import KeyState, PurposeKey, TenantKey
from tenants.keys.queries import list_tenants_with_keys
from tenants.keys.wrapped_keys import get_kms, unwrap_kek, unwrap_key, wrap_kek, wrap_key
from tenants.regions import TenantRef, require_served
from tenants.scope import Actor, Scope, keys_scope


def rotate_region_kek(region: str, *, actor: Actor) -> int:
    """A new root key in the key service, then `rewrap_tenant_keys`."""
    require_served(region)
    get_kms(region).rotate()
    return rewrap_tenant_keys(region, actor=actor)


def rewrap_tenant_keys(region: str, *, actor: Actor) -> int:
    """Wraps every tenant's KEK under the newest root key; one transaction each, so it may stop and run again.

    Returns how many. Raises KeyServiceUnavailable; the tenants done so far stay done.
    """
    tenants = [TenantRef(found, region) for found in list_tenants_with_keys(region, actor=actor)]
    return sum(_rewrap_kek(tenant, actor) for tenant in tenants)


def _rewrap_kek(tenant: TenantRef, actor: Actor) -> bool:
    """False for a tenant that was shredded in the meantime."""
    with keys_scope(tenant, actor=actor) as s:
        try:
            row = lock_kek_row(tenant)
        except NotFound:
            return False
        wrapped = wrap_kek(row, unwrap_kek(row, region=tenant.region), region=tenant.region)
        TenantKey.objects.filter(tenant_id=tenant.id, id=row.id).update(
            wrapped=wrapped, wrapped_at=timezone.now()
        )
        audit.record_entry(s, "keys.kek_rewrapped", str(tenant.id), version=row.version)
    return True


def rotate_tenant_kek(tenant: TenantRef, *, actor: Actor) -> int:
    """A new KEK for the tenant; every purpose key moves under it and the old KEK is destroyed.

    Returns how many keys moved. Raises NotFound, KeyServiceUnavailable.
    """
    with keys_scope(tenant, actor=actor) as s:
        old_row = lock_kek_row(tenant)
        old = unwrap_kek(old_row, region=tenant.region)
        _set_state(old_row, KeyState.RETIRED)
        new_row, new = _create_kek(tenant, version=old_row.version + 1)
        moved = _move_keys(s, old=old, new_row=new_row, new=new)
        _set_state(old_row, KeyState.DESTROYED)
        audit.record_entry(s, "keys.kek_rotated", str(tenant.id), version=new_row.version, moved=moved)
    return moved


def _set_state(row: TenantKey, state: KeyState) -> None:
    gone = {"wrapped": b"", "destroyed_at": timezone.now()} if state == KeyState.DESTROYED else {}
    TenantKey.objects.filter(tenant_id=row.tenant_id, id=row.id).update(state=state, **gone)


def _create_kek(tenant: TenantRef, *, version: int) -> tuple[TenantKey, KeyHandle]:
    key = KeyHandle.generate()
    row = TenantKey(tenant_id=tenant.id, id=generate_id(), version=version, state=KeyState.ACTIVE)
    row.wrapped = wrap_kek(row, key, region=tenant.region)
    row.save(force_insert=True)
    return row, key


def _move_keys(s: Scope, *, old: KeyHandle, new_row: TenantKey, new: KeyHandle) -> int:
    live = PurposeKey.objects.filter(tenant_id=s.tenant_id).exclude(state=KeyState.DESTROYED)
    rows = list(live)
    for row in rows:
        key = unwrap_key(row, kek=old, region=s.ref.region)
        row.kek_version = new_row.version
        row.wrapped = wrap_key(row, key, kek=new, region=s.ref.region)
    PurposeKey.objects.bulk_update(rows, ["wrapped", "kek_version"])
    return len(rows)
