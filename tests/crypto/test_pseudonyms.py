from __future__ import annotations

import hmac
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.crypto import KeyHandle, Keyring, KeyringEntry, Purpose
from tenants.crypto.pseudonyms import KeyedHash

from .conftest import MakeKeyring, generate_keys

MATERIAL = bytes(range(32))


@given(st.lists(st.binary(max_size=200), max_size=5), st.sampled_from(["uid", "item", "event"]))
def test_a_pseudonym_is_hmac_sha256_of_kind_and_value(values: list[bytes], kind: str) -> None:
    label = bytes([len(kind)]) + kind.encode()
    expected = [hmac.digest(MATERIAL, label + value, "sha256")[:16] for value in values]
    assert KeyedHash(KeyHandle(MATERIAL)).hash_many(kind, values) == expected


def test_kinds_have_different_pseudonyms(keyring: Keyring) -> None:
    assert keyring.derive_pseudonym("uid", "7") != keyring.derive_pseudonym("item", "7")


def test_the_border_between_kind_and_value_changes_the_pseudonym(keyring: Keyring) -> None:
    assert keyring.derive_pseudonym("ui", "d7") != keyring.derive_pseudonym("uid", "7")


def test_two_tenants_share_no_pseudonym(make_keyring: MakeKeyring) -> None:
    keyring_a, keyring_b = (make_keyring(keys=generate_keys()) for _ in range(2))
    assert keyring_a.derive_pseudonym("uid", "anna@example.org") != keyring_b.derive_pseudonym(
        "uid", "anna@example.org"
    )


def test_composed_and_decomposed_letters_have_equal_pseudonyms(keyring: Keyring) -> None:
    assert keyring.derive_pseudonym("uid", "Jose\u0301") == keyring.derive_pseudonym("uid", " Jos\u00e9\n")


def test_case_changes_the_pseudonym(keyring: Keyring) -> None:
    assert keyring.derive_pseudonym("uid", "Anna") != keyring.derive_pseudonym("uid", "anna")


def test_pseudonyms_of_a_batch_equal_single_pseudonyms(keyring: Keyring) -> None:
    values = ["a", "用户", "", "x" * 1_000]
    assert keyring.derive_pseudonyms("uid", values) == [
        keyring.derive_pseudonym("uid", value) for value in values
    ]


def test_pseudonym_and_tombstone_use_different_keys(keyring: Keyring) -> None:
    pseudonym = keyring.derive_pseudonym("uid", "anna")
    assert len(keyring.derive_tombstone(pseudonym)) == 32
    assert keyring.derive_tombstone(pseudonym)[:16] != pseudonym


def test_a_hashing_key_seals_nothing() -> None:
    ring = Keyring(
        [KeyringEntry(1, Purpose.PSEUDONYM, True, KeyHandle(MATERIAL))], region="eu", tenant=uuid4()
    )
    for purpose in (Purpose.PSEUDONYM, Purpose.TOMBSTONE):
        with pytest.raises(ValueError, match="seals nothing"):
            ring.get_cipher(purpose, table="t", column="c")


def test_a_digest_recognises_equal_bytes_of_this_tenant_and_use_only(make_keyring: MakeKeyring) -> None:
    keyring_a, keyring_b = (make_keyring(keys=generate_keys()) for _ in range(2))
    assert (
        keyring_a.compute_digest("batch", b"x")
        == keyring_a.compute_digest("batch", b"x")
        != keyring_a.compute_digest("batch", b" x")
    )
    assert keyring_a.compute_digest("batch", b"x") not in (
        keyring_b.compute_digest("batch", b"x"),
        keyring_a.compute_digest("item", b"x"),
        keyring_a.derive_pseudonym("batch", "x"),
    )
