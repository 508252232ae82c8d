"""All changes to a tenant's keys queue for the row of its first KEK."""

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
    """The active KEK's row; other changes to the tenant's keys wait until the scope ends. Raises NotFound."""
    keks = TenantKey.objects.filter(tenant_id=tenant.id)
    # The first KEK's row never goes and its version never changes. Waiting for the active row instead would
    # find none when the one before us replaced it: the statement does not see the row that came in its place.
    first = keks.filter(version=1).select_for_update().first()
    active = keks.filter(state=KeyState.ACTIVE).first()
    if first is None or active is None:
        raise NotFound("This tenant has no keys.")
    return active


def add_purpose_keys(
    tenant: TenantRef, purposes: Sequence[Purpose], *, state: KeyState, kek_row: TenantKey, kek: KeyHandle
) -> list[PurposeKey]:
    """One each, under the lock of `kek_row`."""
    rows = [
        PurposeKey(
            tenant_id=tenant.id,
            id=generate_id(),
            key_id=key_id,
            purpose=purpose.value,
            state=state,
            kek_version=kek_row.version,
        )
        for key_id, purpose in zip(_generate_key_ids(tenant, len(purposes)), purposes, strict=True)
    ]
    for row in rows:
        row.wrapped = wrap_key(row, KeyHandle.generate(), kek=kek, region=tenant.region)
    return PurposeKey.objects.bulk_create(rows)


def _generate_key_ids(tenant: TenantRef, count: int) -> list[int]:
    """Drawn by chance from 31 bits.

    A restored backup of the keys database has forgotten the newest keys, whose ids stand in stored values: counting
    on from the last one that it knows would give their ids to other keys.
    """
    used = set(PurposeKey.objects.filter(tenant_id=tenant.id).values_list("key_id", flat=True))
    drawn: list[int] = []
    while len(drawn) < count:
        key_id = 1 + secrets.randbelow(_MAX_KEY_ID)
        if key_id not in used:
            used.add(key_id)
            drawn.append(key_id)
    return drawn
