from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tenants.crypto import BoundCipher, Purpose
from tenants.crypto.aead import read_key_id
from tenants.errors import Conflict, DecryptionFailed, NotFound
from tenants.keys import queries
from tenants.keys.actions import destroy_key, rotate_purpose_key
from tenants.keys.models import KeyState
from tenants.regions import TenantRef
from tenants.scope import Actor

MakeCipher = Callable[[TenantRef], BoundCipher]
AT_ONCE = timedelta(0)


def _rotate_twice(tenant: TenantRef, actor: Actor) -> tuple[int, int]:
    """Key ids of the retired and of the new key for reviews."""
    old = {key.purpose: key.key_id for key in queries.list_keys(tenant, actor=actor)}[Purpose.REVIEW]
    rotate_purpose_key(tenant, Purpose.REVIEW, actor=actor)
    return old, rotate_purpose_key(tenant, Purpose.REVIEW, actor=actor, rollout=AT_ONCE).key_id


def _load_states(tenant: TenantRef, actor: Actor) -> dict[int, KeyState]:
    keys = queries.list_keys(tenant, actor=actor)
    return {key.key_id: key.state for key in keys if key.purpose == Purpose.REVIEW}


def test_an_added_key_opens_but_does_not_seal_yet(
    keyed_tenant: TenantRef, actor: Actor, make_review_cipher: MakeCipher
) -> None:
    before = read_key_id(make_review_cipher(keyed_tenant).seal(b"x", b"row"))
    step = rotate_purpose_key(keyed_tenant, Purpose.REVIEW, actor=actor)
    assert step.stage == "added"
    assert read_key_id(make_review_cipher(keyed_tenant).seal(b"x", b"row")) == before


def test_a_process_that_loaded_before_the_promotion_reads_what_is_sealed_after_it(
    keyed_tenant: TenantRef, actor: Actor, make_review_cipher: MakeCipher
) -> None:
    rotate_purpose_key(keyed_tenant, Purpose.REVIEW, actor=actor)
    earlier = make_review_cipher(keyed_tenant)
    step = rotate_purpose_key(keyed_tenant, Purpose.REVIEW, actor=actor, rollout=AT_ONCE)
    sealed = make_review_cipher(keyed_tenant).seal(b"x", b"row")
    assert read_key_id(sealed) == step.key_id
    assert earlier.open(sealed, b"row") == b"x"


def test_promotion_waits_until_every_process_has_loaded_the_key(
    keyed_tenant: TenantRef, actor: Actor
) -> None:
    added = rotate_purpose_key(keyed_tenant, Purpose.REVIEW, actor=actor)
    waiting = rotate_purpose_key(keyed_tenant, Purpose.REVIEW, actor=actor)
    assert (waiting.stage, waiting.key_id) == ("waiting", added.key_id)


def test_old_values_open_after_a_promotion_and_new_ones_use_the_new_key(
    keyed_tenant: TenantRef, actor: Actor, make_review_cipher: MakeCipher
) -> None:
    sealed = make_review_cipher(keyed_tenant).seal(b"x", b"row")
    old, new = _rotate_twice(keyed_tenant, actor)
    assert _load_states(keyed_tenant, actor) == {old: KeyState.RETIRED, new: KeyState.ACTIVE}
    assert make_review_cipher(keyed_tenant).open(sealed, b"row") == b"x"
    assert read_key_id(make_review_cipher(keyed_tenant).seal(b"x", b"row")) == new != old


def test_another_tenant_is_not_touched(keyed_tenant: TenantRef, stranger: TenantRef, actor: Actor) -> None:
    before = queries.list_keys(stranger, actor=actor)
    _rotate_twice(keyed_tenant, actor)
    assert queries.list_keys(stranger, actor=actor) == before


@pytest.mark.parametrize("purpose", [Purpose.PSEUDONYM, Purpose.TOMBSTONE])
def test_lookup_keys_do_not_rotate_lazily(keyed_tenant: TenantRef, actor: Actor, purpose: Purpose) -> None:
    with pytest.raises(Conflict):
        rotate_purpose_key(keyed_tenant, purpose, actor=actor)


def test_an_unused_key_is_destroyed(
    keyed_tenant: TenantRef, actor: Actor, make_review_cipher: MakeCipher
) -> None:
    sealed = make_review_cipher(keyed_tenant).seal(b"x", b"row")
    old, new = _rotate_twice(keyed_tenant, actor)
    destroy_key(keyed_tenant, old, actor=actor, count_uses=lambda _: 0, rollout=AT_ONCE)
    assert _load_states(keyed_tenant, actor) == {old: KeyState.DESTROYED, new: KeyState.ACTIVE}
    with pytest.raises(DecryptionFailed):
        make_review_cipher(keyed_tenant).open(sealed, b"row")
    with pytest.raises(NotFound):
        destroy_key(keyed_tenant, old, actor=actor, count_uses=lambda _: 0, rollout=AT_ONCE)


def test_a_key_in_use_is_not_destroyed(keyed_tenant: TenantRef, actor: Actor) -> None:
    old, _ = _rotate_twice(keyed_tenant, actor)
    checked_ids: list[int] = []
    with pytest.raises(Conflict, match="3 values"):
        destroy_key(
            keyed_tenant,
            old,
            actor=actor,
            count_uses=lambda key_id: checked_ids.append(key_id) or 3,
            rollout=AT_ONCE,
        )
    assert checked_ids == [old]
    assert _load_states(keyed_tenant, actor)[old] == KeyState.RETIRED


def test_active_and_recently_retired_keys_are_not_destroyed(keyed_tenant: TenantRef, actor: Actor) -> None:
    old, new = _rotate_twice(keyed_tenant, actor)
    checked_ids: list[int] = []
    for key_id in (old, new):
        with pytest.raises(Conflict, match="may still seal"):
            destroy_key(
                keyed_tenant, key_id, actor=actor, count_uses=lambda key_id: checked_ids.append(key_id) or 0
            )
    assert checked_ids == []


def test_a_key_id_is_not_reused(keyed_tenant: TenantRef, actor: Actor) -> None:
    old, new = _rotate_twice(keyed_tenant, actor)
    destroy_key(keyed_tenant, old, actor=actor, count_uses=lambda _: 0, rollout=AT_ONCE)
    _, newest = _rotate_twice(keyed_tenant, actor)
    assert len({newest, new, old}) == 3
