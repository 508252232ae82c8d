from __future__ import annotations

from datetime import UTC, datetime

from tenants.keys import queries
from tenants.keys.actions import mark_replayed, record_tombstones
from tenants.regions import TenantRef
from tenants.scope import Actor

AT = datetime(2026, 5, 1, tzinfo=UTC)


def test_an_erasure_is_recognised_and_its_pseudonym_is_not_stored(
    keyed_tenant: TenantRef, actor: Actor
) -> None:
    pseudonym = queries.get_keyring(keyed_tenant).derive_pseudonym("uid", "anna")
    tombstones = record_tombstones(keyed_tenant, [pseudonym], erased_at=AT, actor=actor)
    assert (
        queries.list_tombstones(keyed_tenant, actor=actor)
        == tombstones
        == [queries.get_keyring(keyed_tenant).derive_tombstone(pseudonym)]
    )
    assert pseudonym not in tombstones[0]


def test_recording_twice_stores_one_tombstone(keyed_tenant: TenantRef, actor: Actor) -> None:
    for _ in range(2):
        record_tombstones(keyed_tenant, [b"a" * 16, b"b" * 16], erased_at=AT, actor=actor)
    assert len(queries.list_tombstones(keyed_tenant, actor=actor)) == 2


def test_replaying_counts_once(keyed_tenant: TenantRef, actor: Actor) -> None:
    tombstones = record_tombstones(keyed_tenant, [b"a" * 16, b"b" * 16], erased_at=AT, actor=actor)
    assert [mark_replayed(keyed_tenant, tombstones, actor=actor) for _ in range(2)] == [2, 0]


def test_a_stranger_sees_no_erasures(keyed_tenant: TenantRef, stranger: TenantRef, actor: Actor) -> None:
    record_tombstones(keyed_tenant, [b"a" * 16], erased_at=AT, actor=actor)
    assert queries.list_tombstones(stranger, actor=actor) == []
