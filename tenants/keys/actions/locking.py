"""All changes to a tenant's keys queue for the row of its first KEK."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db.models import Max
from django.utils import timezone

from tenants.crypto import KeyHandle, Purpose
from tenants.errors import Conflict, NotFound
from tenants.keys.binding import wrapped_key
from tenants.keys.fields import new_id
from tenants.keys.models import KeyState, PurposeKey, TenantKey
from tenants.regions import TenantRef

_FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
_LAST_KEY_ID = (1 << 31) - 1


def locked_kek_row(tenant: TenantRef) -> TenantKey:
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
    """One each, under the lock of `kek_row`. Raises Conflict when the tenant has used up its key ids."""
    first = _next_key_id(tenant)
    if first + len(purposes) - 1 > _LAST_KEY_ID:
        raise Conflict("This tenant has used up its key ids.")
    rows = [
        PurposeKey(
            tenant_id=tenant.id,
            id=new_id(),
            key_id=key_id,
            purpose=purpose.value,
            state=state,
            kek_version=kek_row.version,
        )
        for key_id, purpose in enumerate(purposes, first)
    ]
    for row in rows:
        row.wrapped = wrapped_key(row, KeyHandle.generate(), kek=kek, region=tenant.region)
    return PurposeKey.objects.bulk_create(rows)


def _next_key_id(tenant: TenantRef) -> int:
    """Seconds since 2025, or one more than the newest.

    A restored backup of the keys database has forgotten the newest keys, whose ids stand in stored values: counting
    on from the last one that it knows would give their ids to other keys.
    """
    used = PurposeKey.objects.filter(tenant_id=tenant.id).aggregate(last=Max("key_id"))
    return max(int(used["last"] or 0) + 1, int((timezone.now() - _FIRST_DAY).total_seconds()))
