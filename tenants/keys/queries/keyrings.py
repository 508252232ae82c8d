"""Keyrings: a tenant's keys, unwrapped and cached."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tenants.crypto import KeyHandle, Keyring, KeyringEntry, Purpose
from tenants.errors import KeyServiceUnavailable, StoreUnavailable
from tenants.keys.models import KeyState, PurposeKey, TenantKey
from tenants.keys.queries.cache import KeyringCache
from tenants.keys.wrapped_keys import unwrap_kek, unwrap_key
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_scope

# For this time other processes may still use keys that were rotated or destroyed.
KEYRING_TTL = timedelta(seconds=60)
_MAX_TENANTS = 1_024
_ACTOR = Actor("system", "keyring")
# During a rollback rows can have purposes that this release does not know; they are not loaded.
_PURPOSES = [purpose.value for purpose in Purpose]

# One statement has one snapshot: during a rotation either the old KEK with all its keys is read, or the new one.
_SELECT = """
SELECT kek.id, kek.version, kek.wrapped, key.id, key.key_id, key.purpose, key.state, key.wrapped
FROM keys_purposekey key
JOIN keys_tenantkey kek ON kek.tenant_id = key.tenant_id AND kek.version = key.kek_version
WHERE key.tenant_id = %s AND key.state <> 'destroyed' AND key.purpose = ANY(%s)
"""


def get_keyring(tenant: TenantRef) -> Keyring:
    """Returns the tenant's keyring. May be called inside a data scope, but not inside a `keys_scope`.

    Raises RegionNotServed, and KeyServiceUnavailable, also for a tenant whose keys are lost or destroyed.
    """
    return _cache.get(tenant)


def forget_keyring(tenant: TenantRef) -> None:
    """Removes the keyring from this process's cache. Other processes reload theirs within KEYRING_TTL."""
    _cache.forget(tenant)


def _load_keyring(tenant: TenantRef) -> Keyring:
    # The transaction ends before the key service is called, so a slow service holds no connection.
    try:
        with keys_scope(tenant, actor=_ACTOR) as s:
            rows = s.cursor(binary=True).execute(_SELECT, (tenant.id, _PURPOSES)).fetchall()
    except StoreUnavailable as error:
        raise KeyServiceUnavailable from error
    if not rows:
        raise KeyServiceUnavailable("This tenant has no usable keys; nothing was read or written.")
    keks: dict[int, KeyHandle] = {}
    entries = [_unwrap_entry(tenant, row, keks) for row in rows]
    return Keyring(entries, region=tenant.region, tenant=tenant.id)


def _unwrap_entry(tenant: TenantRef, row: tuple[Any, ...], keks: dict[int, KeyHandle]) -> KeyringEntry:
    """Unwraps one row of _SELECT. `keks` caches the KEKs unwrapped so far, by version."""
    kek_id, version, kek_wrapped, row_id, key_id, purpose, state, wrapped = row
    if version not in keks:
        kek_row = TenantKey(
            tenant_id=tenant.id,
            id=kek_id,
            version=version,
            wrapped=kek_wrapped,
        )
        keks[version] = unwrap_kek(kek_row, region=tenant.region)
    key_row = PurposeKey(
        tenant_id=tenant.id,
        id=row_id,
        key_id=key_id,
        purpose=purpose,
        kek_version=version,
        wrapped=wrapped,
    )
    key = unwrap_key(key_row, kek=keks[version], region=tenant.region)
    return KeyringEntry(key_id, Purpose(purpose), state == KeyState.ACTIVE, key)


_cache = KeyringCache(_load_keyring, ttl=KEYRING_TTL, max_entries=_MAX_TENANTS)
