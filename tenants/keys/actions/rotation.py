"""A new key for a purpose: added, known everywhere, promoted; the old one retires and goes at zero use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from tenants import audit
from tenants.crypto import Purpose
from tenants.crypto.purposes import HASHING_PURPOSES
from tenants.errors import Conflict, NotFound
from tenants.keys.actions.locking import add_purpose_keys, lock_kek_row
from tenants.keys.models import KeyState, PurposeKey
from tenants.keys.queries import KEYRING_TTL, forget_keyring
from tenants.keys.results import Rotation
from tenants.keys.wrapped_keys import unwrap_kek
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, keys_scope

ROLLOUT_PERIOD = 2 * KEYRING_TTL
"""After this long every process has loaded a change; twice the cache's life, as clocks differ."""


def rotate_purpose_key(
    tenant: TenantRef, purpose: Purpose, *, actor: Actor, rollout: timedelta = ROLLOUT_PERIOD
) -> Rotation:
    """One step: adds a key that only opens, or promotes one that was added at least `rollout` ago.

    Raises Conflict for hashing purposes, whose outputs are look-up keys; NotFound; KeyServiceUnavailable.
    """
    if purpose in HASHING_PURPOSES:
        raise Conflict(f"A {purpose} key changes by a re-keying job only.")
    with keys_scope(tenant, actor=actor) as s:
        kek_row = lock_kek_row(tenant)
        pending = PurposeKey.objects.filter(
            tenant_id=tenant.id, purpose=purpose.value, state=KeyState.PENDING
        ).first()
        if pending is None:
            kek = unwrap_kek(kek_row, region=tenant.region)
            [pending] = add_purpose_keys(tenant, [purpose], state=KeyState.PENDING, kek_row=kek_row, kek=kek)
            audit.record_entry(s, "keys.added", purpose.value, key_id=pending.key_id)
            step = Rotation(purpose, pending.key_id, "added")
        elif timezone.now() - pending.created_at < rollout:
            step = Rotation(purpose, pending.key_id, "waiting")
        else:
            step = _promote_key(s, pending)
    forget_keyring(tenant)
    return step


def _promote_key(s: Scope, pending: PurposeKey) -> Rotation:
    now = timezone.now()
    of_purpose = PurposeKey.objects.filter(tenant_id=s.tenant_id, purpose=pending.purpose)
    of_purpose.filter(state=KeyState.ACTIVE).update(state=KeyState.RETIRED, retired_at=now)
    of_purpose.filter(id=pending.id).update(state=KeyState.ACTIVE, promoted_at=now)
    audit.record_entry(s, "keys.promoted", pending.purpose, key_id=pending.key_id)
    return Rotation(Purpose(pending.purpose), pending.key_id, "promoted")


def destroy_key(
    tenant: TenantRef,
    key_id: int,
    *,
    actor: Actor,
    count_uses: Callable[[int], int],
    rollout: timedelta = ROLLOUT_PERIOD,
) -> None:
    """Destroys a retired key that nothing uses. `count_uses` is asked once no process can seal with it.

    Raises Conflict while the key is pending, active, freshly retired or in use; NotFound.
    """
    with keys_scope(tenant, actor=actor) as s:
        lock_kek_row(tenant)
        row = PurposeKey.objects.filter(tenant_id=tenant.id, key_id=key_id).first()
        if row is None or row.state == KeyState.DESTROYED:
            raise NotFound("There is no such key.")
        if row.retired_at is None or timezone.now() - row.retired_at < rollout:
            raise Conflict("Some process may still seal with this key.")
        if uses := count_uses(key_id):
            raise Conflict(f"{uses} values still need this key.")
        PurposeKey.objects.filter(tenant_id=tenant.id, id=row.id).update(
            state=KeyState.DESTROYED, wrapped=b"", destroyed_at=timezone.now()
        )
        audit.record_entry(s, "keys.destroyed", row.purpose, key_id=key_id)
    forget_keyring(tenant)
