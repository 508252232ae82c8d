"""Rotation of purpose keys.

A new key is added as pending: it decrypts only. When all processes have loaded it, it is promoted and encrypts from then
on. The old key is retired: it decrypts only. `destroy_key` destroys a retired key that no stored value uses.
"""

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

# After this time every process has loaded a change. Twice the lifetime of cached keyrings, because clocks differ.
ROLLOUT_PERIOD = 2 * KEYRING_TTL


def rotate_purpose_key(
    tenant: TenantRef,
    purpose: Purpose,
    *,
    actor: Actor,
    rollout: timedelta = ROLLOUT_PERIOD,
) -> Rotation:
    """Takes one step of a rotation: adds a pending key, or promotes a key added at least `rollout` ago.

    A call while the pending key is younger changes nothing. A call after the promotion starts the next rotation.

    Args:
        tenant: The tenant.
        purpose: Not a hashing purpose: its outputs are look-up keys, which would all have to be recomputed.
        actor: Recorded in the audit log.
        rollout: Minimum age of a pending key before it is promoted.

    Returns:
        The step that was taken.

    Raises:
        Conflict: `purpose` is a hashing purpose.
        NotFound: The tenant has no keys.
        KeyServiceUnavailable: The KEK can't be unwrapped.
    """
    if purpose in HASHING_PURPOSES:
        raise Conflict(f"A {purpose} key changes by a re-keying job only.")
    with keys_scope(tenant, actor=actor) as s:
        kek_row = lock_kek_row(tenant)
        pending = PurposeKey.objects.filter(
            tenant_id=tenant.id,
            purpose=purpose.value,
            state=KeyState.PENDING,
        ).first()
        if pending is None:
            kek = unwrap_kek(kek_row, region=tenant.region)
            [pending] = add_purpose_keys(
                tenant,
                [purpose],
                state=KeyState.PENDING,
                kek_row=kek_row,
                kek=kek,
            )
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
    """Destroys a retired key that no stored value uses.

    Args:
        tenant: The tenant.
        key_id: The key.
        actor: Recorded in the audit log.
        count_uses: Returns how many stored values a key sealed. Called only when no process can seal with it any more.
        rollout: Minimum time since the key was retired.

    Raises:
        Conflict: The key is pending, active, retired too recently, or in use.
        NotFound: There is no such key.
    """
    with keys_scope(tenant, actor=actor) as s:
        lock_kek_row(tenant)
        row = PurposeKey.objects.filter(tenant_id=tenant.id, key_id=key_id).first()
        if row is None or row.state == KeyState.DESTROYED:
            raise NotFound("There is no such key.")
        if row.retired_at is None or timezone.now() - row.retired_at < rollout:
            raise Conflict("Some process may still seal with this key.")
        uses = count_uses(key_id)
        if uses:
            raise Conflict(f"{uses} values still need this key.")
        PurposeKey.objects.filter(tenant_id=tenant.id, id=row.id).update(
            state=KeyState.DESTROYED,
            wrapped=b"",
            destroyed_at=timezone.now(),
        )
        audit.record_entry(s, "keys.destroyed", row.purpose, key_id=key_id)
    forget_keyring(tenant)
