"""Locking and insertion of key rows. All changes to a tenant's keys lock the row of its first KEK."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from tenants.crypto import KeyHandle, Purpose
from tenants.errors import NotFound
from tenants.keys.fields import generate_id
from tenants.keys.models import KeyState, PurposeKey, TenantKey
from tenants.keys.wrapped_keys import wrap_key
from tenants.regions import TenantRef

_MAX_KEY_ID = (1 << 31) - 1


def lock_kek_row(tenant: TenantRef) -> TenantKey:
    """Locks the tenant's keys until the scope ends, and returns the row of the active KEK. Raises NotFound."""
    keks = TenantKey.objects.filter(tenant_id=tenant.id)
    # The row of version 1 is never deleted. Locking the active row instead would return no row if the transaction
    # before this one replaced it: a waiting SELECT ... FOR UPDATE does not see rows inserted after its snapshot.
    first_row = keks.filter(version=1).select_for_update().first()
    active_row = keks.filter(state=KeyState.ACTIVE).first()
    if first_row is None or active_row is None:
        raise NotFound("This tenant has no keys.")
    return active_row


def add_purpose_keys(
    tenant: TenantRef,
    purposes: Sequence[Purpose],
    *,
    state: KeyState,
    kek_row: TenantKey,
    kek: KeyHandle,
) -> list[PurposeKey]:
    """Creates one key per purpose.

    Args:
        tenant: The tenant; its keys are locked by `lock_kek_row`.
        purposes: The purposes of the new keys.
        state: The state of the new keys.
        kek_row: The row of the active KEK.
        kek: The unwrapped KEK of `kek_row`.

    Returns:
        The inserted rows, in the order of `purposes`.
    """
    key_ids = _generate_key_ids(tenant, len(purposes))
    rows = []
    for key_id, purpose in zip(key_ids, purposes, strict=True):
        row = PurposeKey(
            tenant_id=tenant.id,
            id=generate_id(),
            key_id=key_id,
            purpose=purpose.value,
            state=state,
            kek_version=kek_row.version,
        )
        row.wrapped = wrap_key(row, KeyHandle.generate(), kek=kek, region=tenant.region)
        rows.append(row)
    return PurposeKey.objects.bulk_create(rows)


def _generate_key_ids(tenant: TenantRef, count: int) -> list[int]:
    """Draws unused random ids of 31 bits.

    Ids are not counted up: a restored backup of the keys database lacks the newest keys, whose ids occur in stored
    values, and a counter would assign these ids to other keys.
    """
    used = set(PurposeKey.objects.filter(tenant_id=tenant.id).values_list("key_id", flat=True))
    drawn: list[int] = []
    while len(drawn) < count:
        key_id = 1 + secrets.randbelow(_MAX_KEY_ID)
        if key_id not in used:
            used.add(key_id)
            drawn.append(key_id)
    return drawn
