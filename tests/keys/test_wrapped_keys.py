"""Write access to the keys database cannot substitute one key for another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.crypto import BoundCipher, KeyHandle
from tenants.errors import DecryptionFailed
from tenants.keys import queries
from tenants.keys.models import TenantKey
from tenants.regions import TenantRef
from tenants.scope import Actor, keys_scope

Tamper = Callable[..., int]
SWAP_KEY = """
UPDATE keys_purposekey target SET wrapped = source.wrapped FROM keys_purposekey source
WHERE target.tenant_id = %s AND source.tenant_id = %s AND target.purpose = %s AND source.purpose = %s
"""
SWAP_KEK = """
UPDATE keys_tenantkey target SET wrapped = source.wrapped FROM keys_tenantkey source
WHERE target.tenant_id = %s AND source.tenant_id = %s
"""


def _expect_refusal(tenant: TenantRef) -> None:
    queries.forget_keyring(tenant)
    with pytest.raises(DecryptionFailed):
        queries.get_keyring(tenant)


def test_a_purpose_key_of_another_tenant_is_refused(
    keyed_tenant: TenantRef, stranger: TenantRef, tamper: Tamper
) -> None:
    assert tamper(SWAP_KEY, keyed_tenant.id, stranger.id, "review", "review") == 1
    _expect_refusal(keyed_tenant)


def test_a_key_of_another_purpose_is_refused(keyed_tenant: TenantRef, tamper: Tamper) -> None:
    assert tamper(SWAP_KEY, keyed_tenant.id, keyed_tenant.id, "review", "profile") == 1
    _expect_refusal(keyed_tenant)


def test_a_kek_of_another_tenant_is_refused(
    keyed_tenant: TenantRef, stranger: TenantRef, tamper: Tamper
) -> None:
    assert tamper(SWAP_KEK, keyed_tenant.id, stranger.id) == 1
    _expect_refusal(keyed_tenant)


def test_all_keys_of_another_tenant_are_refused(
    keyed_tenant: TenantRef, stranger: TenantRef, tamper: Tamper
) -> None:
    assert tamper(SWAP_KEK, keyed_tenant.id, stranger.id) == 1
    swapped = tamper(
        "UPDATE keys_purposekey target SET wrapped = source.wrapped FROM keys_purposekey source "
        "WHERE target.tenant_id = %s AND source.tenant_id = %s AND target.purpose = source.purpose",
        keyed_tenant.id,
        stranger.id,
    )
    assert swapped > 1
    _expect_refusal(keyed_tenant)


@pytest.mark.parametrize(
    "change",
    ["key_id = key_id + 1000", "purpose = 'receipt', state = 'retired'", "id = gen_random_uuid()"],
    ids=["key id", "purpose", "row id"],
)
def test_a_relabelled_key_is_refused(keyed_tenant: TenantRef, tamper: Tamper, change: str) -> None:
    assert (
        tamper(
            f"UPDATE keys_purposekey SET {change} WHERE tenant_id = %s AND purpose = 'review'",
            keyed_tenant.id,
        )
        == 1
    )
    _expect_refusal(keyed_tenant)


def test_a_flipped_bit_is_refused(keyed_tenant: TenantRef, tamper: Tamper) -> None:
    changed = tamper(
        "UPDATE keys_purposekey SET wrapped = set_byte(wrapped, 30, 255 - get_byte(wrapped, 30)) "
        "WHERE tenant_id = %s AND purpose = 'review'",
        keyed_tenant.id,
    )
    assert changed == 1
    _expect_refusal(keyed_tenant)


def test_a_region_cannot_open_the_keys_of_another(
    make_keyed_tenant: Callable[..., TenantRef], superuser: Callable[..., Any], actor: Actor
) -> None:
    make_keyed_tenant("cn")  # so that China has a root key to try
    european = make_keyed_tenant("eu")
    with keys_scope(european, actor=actor):
        row = TenantKey.objects.get(tenant_id=european.id)
    with superuser("keys_cn") as chinese:
        chinese.execute(
            "INSERT INTO keys_tenantkey (tenant_id, id, version, state, wrapped, created_at, wrapped_at) "
            "VALUES (%s, %s, %s, 'active', %s, now(), now())",
            (row.tenant_id, row.id, row.version, bytes(row.wrapped)),
        )
        chinese.execute(
            "INSERT INTO keys_purposekey (tenant_id, id, key_id, purpose, state, kek_version, wrapped, created_at) "
            "VALUES (%s, gen_random_uuid(), 1, 'review', 'active', %s, %s, now())",
            (row.tenant_id, row.version, b"x"),
        )
    _expect_refusal(TenantRef(european.id, "cn"))


def test_no_key_is_stored_in_clear(
    keyed_tenant: TenantRef, superuser: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    revealed: list[bytes] = []
    reveal = KeyHandle.to_aead
    monkeypatch.setattr(
        KeyHandle, "to_aead", lambda key: (revealed.append(key.reveal_material()), reveal(key))[1]
    )
    queries.forget_keyring(keyed_tenant)
    queries.get_keyring(keyed_tenant)
    stored = b"".join(
        bytes(wrapped)
        for table in ("keys_tenantkey", "keys_purposekey")
        for (wrapped,) in superuser("keys_eu").execute(f"SELECT wrapped FROM {table}")
    )
    assert len(revealed) > 5
    assert not [material for material in revealed if material in stored]


def test_ciphers_work_after_tampering_is_reverted(
    keyed_tenant: TenantRef, tamper: Tamper, make_review_cipher: Callable[[TenantRef], BoundCipher]
) -> None:
    sealed = make_review_cipher(keyed_tenant).seal(b"x", b"row")
    tamper("UPDATE keys_purposekey SET key_id = key_id + 1000 WHERE tenant_id = %s", keyed_tenant.id)
    _expect_refusal(keyed_tenant)
    tamper("UPDATE keys_purposekey SET key_id = key_id - 1000 WHERE tenant_id = %s", keyed_tenant.id)
    assert make_review_cipher(keyed_tenant).open(sealed, b"row") == b"x"
