"""Rotation of key-encryption keys: rewraps keys. Data rows are not changed and cached keyrings stay valid."""

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
    """Creates a new root key in the region's key service, then calls `rewrap_tenant_keys`. Returns its result."""
    require_served(region)
    get_kms(region).rotate()
    return rewrap_tenant_keys(region, actor=actor)


def rewrap_tenant_keys(region: str, *, actor: Actor) -> int:
    """Wraps the KEKs of all tenants of a region under the newest root key.

    Each tenant has its own transaction, so the call may be interrupted and repeated. Returns the number of rewrapped
    KEKs. Raises KeyServiceUnavailable; tenants rewrapped before the error keep their new wrapping.
    """
    rewrapped = 0
    for tenant_id in list_tenants_with_keys(region, actor=actor):
        rewrapped += _rewrap_kek(TenantRef(tenant_id, region), actor)
    return rewrapped


def _rewrap_kek(tenant: TenantRef, actor: Actor) -> bool:
    """Returns False for a tenant that was shredded in the meantime."""
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
    """Creates a new KEK, rewraps all purpose keys under it and destroys the old KEK.

    Returns the number of rewrapped purpose keys. Raises NotFound, KeyServiceUnavailable.
    """
    with keys_scope(tenant, actor=actor) as s:
        old_row = lock_kek_row(tenant)
        old_kek = unwrap_kek(old_row, region=tenant.region)
        # Retired first: a unique constraint allows one active KEK per tenant.
        _set_state(old_row, KeyState.RETIRED)
        new_row, new_kek = _create_kek(tenant, version=old_row.version + 1)
        moved = _move_keys(
            s,
            old_kek=old_kek,
            new_row=new_row,
            new_kek=new_kek,
        )
        _set_state(old_row, KeyState.DESTROYED)
        audit.record_entry(
            s,
            "keys.kek_rotated",
            str(tenant.id),
            version=new_row.version,
            moved=moved,
        )
    return moved


def _set_state(row: TenantKey, state: KeyState) -> None:
    changes: dict[str, object] = {"state": state}
    if state == KeyState.DESTROYED:
        changes["wrapped"] = b""
        changes["destroyed_at"] = timezone.now()
    TenantKey.objects.filter(tenant_id=row.tenant_id, id=row.id).update(**changes)


def _create_kek(tenant: TenantRef, *, version: int) -> tuple[TenantKey, KeyHandle]:
    key = KeyHandle.generate()
    row = TenantKey(
        tenant_id=tenant.id,
        id=generate_id(),
        version=version,
        state=KeyState.ACTIVE,
    )
    row.wrapped = wrap_kek(row, key, region=tenant.region)
    row.save(force_insert=True)
    return row, key


def _move_keys(
    s: Scope,
    *,
    old_kek: KeyHandle,
    new_row: TenantKey,
    new_kek: KeyHandle,
) -> int:
    live = PurposeKey.objects.filter(tenant_id=s.tenant_id).exclude(state=KeyState.DESTROYED)
    rows = list(live)
    for row in rows:
        key = unwrap_key(row, kek=old_kek, region=s.ref.region)
        row.kek_version = new_row.version
        row.wrapped = wrap_key(row, key, kek=new_kek, region=s.ref.region)
    PurposeKey.objects.bulk_update(rows, ["wrapped", "kek_version"])
    return len(rows)
