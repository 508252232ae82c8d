"""Keys and data restored to different days: values sealed with lost keys are refused, all others open."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from lepton_platform.tasks import maintenance
from tenants.crypto import Purpose
from tenants.crypto.aead import read_key_id
from tenants.crypto.purposes import HASHING_PURPOSES
from tenants.data.actions import profiles
from tenants.data.actions.events import record_events
from tenants.data.queries import profiles as profile_queries
from tenants.data.types import ProfileInput
from tenants.errors import DecryptionFailed, KeyServiceUnavailable
from tenants.keys.actions import destroy_key, rotate_purpose_key, rotate_tenant_kek, shred
from tenants.keys.queries import forget_keyring, get_keyring, list_keys
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.proofs import Scale
from tests.restore.backups import DatabaseBackups
from tests.restore.profiles import BEFORE_ERASURE, QuerySql, build_view_event, create_profiles

LAZY_PURPOSES = sorted(set(Purpose) - HASHING_PURPOSES)
SEALED_TABLES = {
    "data_item": Purpose.CATALOGUE,
    "data_profile": Purpose.PROFILE,
    "data_timeline": Purpose.TIMELINE,
    "data_seenitems": Purpose.TIMELINE,
    "data_review": Purpose.REVIEW,
    "data_receipt": Purpose.RECEIPT,
}


def rotate_all(tenant: TenantRef, actor: Actor, purposes: list[Purpose] = LAZY_PURPOSES) -> set[int]:
    """Rotates the keys of the purposes, and returns the ids of the new keys, which are active afterwards."""
    added = {rotate_purpose_key(tenant, purpose, actor=actor).key_id for purpose in purposes}
    for purpose in purposes:
        rotate_purpose_key(tenant, purpose, actor=actor, rollout=timedelta(0))
    return added


def load_sealed_values(query_sql: QuerySql, tenant: TenantRef) -> list[bytes]:
    sql = "SELECT body FROM {} WHERE tenant_id = %s"
    return [
        bytes(body)
        for table in SEALED_TABLES
        for (body,) in query_sql("data_eu", sql.format(table), tenant.id)
    ]


def add_profile(tenant: TenantRef, name: str, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        profiles.upsert_profiles(s, [ProfileInput(id=name, attributes={"town": f"town of {name}"})])


@pytest.fixture
def lost_key_ids(tenant: TenantRef, backups: DatabaseBackups, actor: Actor) -> Iterator[set[int]]:
    """The keys database is restored to a state before a rotation. `new` was sealed with the lost keys."""
    create_profiles(tenant, ["old"], actor)
    backup = backups.dump_database("keys_eu")
    lost = rotate_all(tenant, actor)
    add_profile(tenant, "new", actor)
    backups.restore_database("keys_eu", backup)
    forget_keyring(tenant)
    return lost


def test_values_sealed_with_lost_keys_are_refused_and_older_values_open(
    tenant: TenantRef, lost_key_ids: set[int], api: Callable[..., Any], actor: Actor
) -> None:
    client = api(tenant)
    assert client.get("/api/v1/profiles/old").json()["attributes"] == {"town": "old"}
    refused = client.get("/api/v1/profiles/new")
    assert (refused.status_code, refused.json()["code"]) == (500, "internal_error")
    assert b"town" not in refused.content
    with (
        scope(tenant, actor=actor) as s,
        pytest.raises(DecryptionFailed, match="a key that this tenant does not have"),
    ):
        profile_queries.get_profile(s, "new")
    with (
        scope(tenant, actor=actor) as s,
        pytest.raises(DecryptionFailed, match="a key that this tenant does not have"),
    ):
        profile_queries.list_profiles(s)


def test_writes_after_a_stale_restore_use_an_existing_key(
    tenant: TenantRef, lost_key_ids: set[int], query_sql: QuerySql, actor: Actor
) -> None:
    add_profile(tenant, "newer", actor)
    with scope(tenant, actor=actor) as s:
        assert profile_queries.get_profile(s, "newer").profile.attributes == {"town": "town of newer"}
    stored_ids = {key.key_id for key in list_keys(tenant, actor=actor)}
    used = {read_key_id(blob) for blob in load_sealed_values(query_sql, tenant)}
    assert len(used - stored_ids) == 1
    assert used - stored_ids <= lost_key_ids


@pytest.mark.proof(row=10)
def test_no_key_id_is_reused(
    make_tenant: Callable[..., TenantRef],
    backups: DatabaseBackups,
    actor: Actor,
    scale: Scale,
    figure: Callable[..., bool],
) -> None:
    tenants = [make_tenant() for _ in range(scale(2, 20))]
    backup, lost = backups.dump_database("keys_eu"), dict[TenantRef, set[int]]()
    for tenant in tenants:
        lost[tenant] = rotate_all(tenant, actor) | rotate_all(tenant, actor)
    backups.restore_database("keys_eu", backup)
    n_reused = sum(len(lost[tenant] & rotate_all(tenant, actor)) for tenant in tenants)
    count = sum(map(len, lost.values()))
    assert count == len(tenants) * len(LAZY_PURPOSES) * 2
    assert figure(
        "lost key ids given out again after a stale restore", n_reused, of=count, passes=n_reused == 0
    )


def test_a_rotation_after_a_stale_restore_neither_opens_lost_values_nor_damages_others(
    tenant: TenantRef, lost_key_ids: set[int], backups: DatabaseBackups, actor: Actor
) -> None:
    rotate_all(tenant, actor, [Purpose.PROFILE])
    with scope(tenant, actor=actor) as s, pytest.raises(DecryptionFailed):
        profile_queries.get_profile(s, "new")
    add_profile(tenant, "newest", actor)
    with scope(tenant, actor=actor) as s:
        assert profile_queries.get_profile(s, "newest").profile.id == "newest"
        assert profile_queries.get_profile(s, "old").profile.id == "old"


@pytest.mark.proof(row=10)
def test_newer_keys_open_older_data(
    tenant: TenantRef,
    backups: DatabaseBackups,
    query_sql: QuerySql,
    actor: Actor,
    figure: Callable[..., bool],
) -> None:
    create_profiles(tenant, [f"p{number}" for number in range(20)], actor)
    backup = backups.dump_database("data_eu")
    rotate_all(tenant, actor)
    rotate_tenant_kek(tenant, actor=actor)
    add_profile(tenant, "after", actor)
    backups.restore_database("data_eu", backup)
    forget_keyring(tenant)
    with scope(tenant, actor=actor) as s:
        opened = profile_queries.list_profiles(s)
    assert figure(
        "restored profiles that open under newer keys", len(opened), of=20, passes=len(opened) == 20
    )
    assert {profile.id for profile in opened.values()} == {f"p{number}" for number in range(20)}


@pytest.mark.proof(row=11)
def test_restored_data_cannot_be_decrypted_after_a_shred(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    backups: DatabaseBackups,
    query_sql: QuerySql,
    actor: Actor,
    scale: Scale,
    figure: Callable[..., bool],
) -> None:
    create_profiles(tenant, [f"p{number}" for number in range(scale(10, 200))], actor)
    backup, before = backups.dump_database("data_eu"), load_sealed_values(query_sql, tenant)
    shred(tenant, actor=actor)
    backups.restore_database("data_eu", backup)
    restored = load_sealed_values(query_sql, tenant)
    with pytest.raises(KeyServiceUnavailable, match="no usable keys"):
        get_keyring(tenant)
    opened = sum(map(build_opener(stranger_tenant), restored))
    assert sorted(restored) == sorted(before)
    assert figure("restored values that open after a shred", opened, of=len(restored), passes=opened == 0)
    material = query_sql(
        "keys_eu", "SELECT count(*) FROM keys_purposekey WHERE tenant_id = %s AND wrapped <> ''", tenant.id
    )
    assert material == [(0,)]


def build_opener(other: TenantRef) -> Callable[[bytes], bool]:
    """Returns a check whether a value opens with any of this tenant's keys, whatever key id it names."""
    ring = get_keyring(other)
    ciphers = [
        (
            ring.get_cipher(purpose, table=table.removeprefix("data_"), column="body"),
            ring.get_primary_aead(purpose)[0],
        )
        for table, purpose in SEALED_TABLES.items()
    ]

    def can_open(blob: bytes) -> bool:
        for cipher, key_id in ciphers:
            try:
                cipher.open(blob[:3] + key_id.to_bytes(4, "big") + blob[7:], b"row")
            except DecryptionFailed:
                continue
            return True
        return False

    return can_open


def test_a_destroyed_key_restored_from_a_backup_can_be_destroyed_again(
    tenant: TenantRef, backups: DatabaseBackups, actor: Actor
) -> None:
    old = get_keyring(tenant).get_primary_aead(Purpose.REVIEW)[0]
    rotate_all(tenant, actor, [Purpose.REVIEW])
    backup = backups.dump_database("keys_eu")
    destroy_key(tenant, old, actor=actor, count_uses=lambda _: 0, rollout=timedelta(0))
    backups.restore_database("keys_eu", backup)
    forget_keyring(tenant)
    assert get_keyring(tenant).get_aead(Purpose.REVIEW, old)
    destroy_key(tenant, old, actor=actor, count_uses=lambda _: 0, rollout=timedelta(0))
    with pytest.raises(DecryptionFailed):
        get_keyring(tenant).get_aead(Purpose.REVIEW, old)


def test_a_tenant_with_lost_keys_does_not_block_merges_of_others(
    make_tenant: Callable[..., TenantRef], backups: DatabaseBackups, query_sql: QuerySql, actor: Actor
) -> None:
    slugs = [f"{letter}a-{secrets.token_hex(6)}" for letter in "az"]
    damaged, intact = (make_tenant(slug=slug, name=slug) for slug in slugs)
    backup = backups.dump_database("keys_eu")
    rotate_all(damaged, actor)
    for tenant in (damaged, intact):
        create_profiles(tenant, ["ann"], actor)
        for number in range(4):
            with scope(tenant, actor=actor) as s:
                record_events(s, [build_view_event("ann", BEFORE_ERASURE, f"more-{number}")])
    backups.restore_database("keys_eu", backup)
    forget_keyring(damaged)
    maintenance.merge_timelines(region="eu")
    count = "SELECT count(*) FROM data_timeline WHERE tenant_id = %s"
    assert query_sql("data_eu", count, damaged.id) == [(6,)]
    assert query_sql("data_eu", count, intact.id) == [(1,)]
