"""A sealed value opens only in the context that it is bound to. All refusals raise the same error."""

from __future__ import annotations

from itertools import pairwise
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.crypto import BoundCipher, KeyHandle, Keyring, KeyringEntry, Purpose
from tenants.crypto.aead import HEADER_BYTES, OVERHEAD_BYTES, build_header, read_key_id
from tenants.crypto.associated_data import encode_associated_data, encode_mapping
from tenants.errors import DecryptionFailed, KeyServiceUnavailable

from .conftest import MakeKeyring


def test_a_sealed_value_opens_in_its_context(cipher: BoundCipher) -> None:
    assert cipher.open(cipher.seal(b"text", b"row"), b"row") == b"text"


def test_an_empty_value_can_be_sealed(cipher: BoundCipher) -> None:
    assert cipher.open(cipher.seal(b"", b"row"), b"row") == b""


def test_a_batch_equals_single_values(cipher: BoundCipher) -> None:
    plaintexts, rows = [b"a", b"", b"ccc"], [b"1", b"2", b"3"]
    sealed = cipher.seal_many(plaintexts, rows)
    assert [cipher.open(*pair) for pair in zip(sealed, rows, strict=True)] == plaintexts
    assert cipher.open_many([cipher.seal(*p) for p in zip(plaintexts, rows, strict=True)], rows) == plaintexts


def test_an_empty_batch_can_be_sealed(cipher: BoundCipher) -> None:
    assert cipher.open_many(cipher.seal_many([], []), []) == []


def test_another_tenant_with_the_very_same_key_is_refused(make_keyring: MakeKeyring) -> None:
    cipher_a, cipher_b = (
        make_keyring().get_cipher(Purpose.REVIEW, table="review", column="body") for _ in range(2)
    )
    with pytest.raises(DecryptionFailed):
        cipher_b.open(cipher_a.seal(b"x", b"row"), b"row")


def test_another_region_is_refused(make_keyring: MakeKeyring) -> None:
    tenant = uuid4()
    european, chinese = (
        make_keyring(region=region, tenant=tenant).get_cipher(Purpose.REVIEW, table="review", column="body")
        for region in ("eu", "cn")
    )
    with pytest.raises(DecryptionFailed):
        chinese.open(european.seal(b"x", b"row"), b"row")


@pytest.mark.parametrize(("table", "column"), [("timeline", "note"), ("other", "body"), ("timelineb", "ody")])
def test_another_table_or_column_is_refused(
    keyring: Keyring, cipher: BoundCipher, table: str, column: str
) -> None:
    with pytest.raises(DecryptionFailed):
        keyring.get_cipher(Purpose.TIMELINE, table=table, column=column).open(
            cipher.seal(b"x", b"row"), b"row"
        )


def test_another_purpose_with_the_very_same_key_and_key_id_is_refused(make_keyring: MakeKeyring) -> None:
    key, tenant = KeyHandle.generate(), uuid4()
    profile, review = (
        make_keyring(tenant=tenant, keys=[KeyringEntry(1, purpose, True, key)]).get_cipher(
            purpose, table="t", column="c"
        )
        for purpose in (Purpose.PROFILE, Purpose.REVIEW)
    )
    with pytest.raises(DecryptionFailed):
        review.open(profile.seal(b"x", b"row"), b"row")


def test_another_row_is_refused_one_by_one_and_in_a_batch(cipher: BoundCipher) -> None:
    sealed = cipher.seal_many([b"x", b"y"], [b"1", b"2"])
    with pytest.raises(DecryptionFailed):
        cipher.open(sealed[0], b"2")
    with pytest.raises(DecryptionFailed):
        cipher.open_many(sealed, [b"2", b"1"])


def test_a_rewritten_key_id_is_refused_even_when_both_ids_hold_the_same_key(
    make_keyring: MakeKeyring,
) -> None:
    key = KeyHandle.generate()
    keys = [KeyringEntry(1, Purpose.PROFILE, True, key), KeyringEntry(2, Purpose.PROFILE, False, key)]
    cipher = make_keyring(keys=keys).get_cipher(Purpose.PROFILE, table="t", column="c")
    with pytest.raises(DecryptionFailed):
        cipher.open(build_header(2) + cipher.seal(b"x", b"row")[HEADER_BYTES:], b"row")


def test_an_unknown_key_id_is_refused(cipher: BoundCipher) -> None:
    with pytest.raises(DecryptionFailed):
        cipher.open(build_header(999) + cipher.seal(b"x", b"row")[HEADER_BYTES:], b"row")
    with pytest.raises(DecryptionFailed):
        cipher.open_many([build_header(999) + cipher.seal(b"x", b"row")[HEADER_BYTES:]], [b"row"])


@given(plaintext=st.binary(max_size=200), data=st.data())
def test_any_flipped_bit_is_refused(cipher: BoundCipher, plaintext: bytes, data: st.DataObject) -> None:
    sealed = bytearray(cipher.seal(plaintext, b"row"))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DecryptionFailed):
        cipher.open(bytes(sealed), b"row")
    with pytest.raises(DecryptionFailed):
        cipher.open_many([bytes(sealed)], [b"row"])


def test_every_truncation_and_any_extension_is_refused(cipher: BoundCipher) -> None:
    sealed = cipher.seal(b"some plaintext", b"row")
    changed = [*(sealed[:size] for size in range(len(sealed))), sealed + b"\0"]
    for blob in changed:
        with pytest.raises(DecryptionFailed):
            cipher.open(blob, b"row")
    assert len(changed) == len(b"some plaintext") + OVERHEAD_BYTES + 1


def test_a_missing_row_id_raises_value_error(cipher: BoundCipher) -> None:
    with pytest.raises(ValueError, match="bound to its row"):
        cipher.seal(b"x", b"")
    with pytest.raises(ValueError, match="bound to its row"):
        cipher.seal_many([b"x", b"y"], [b"1", b""])
    with pytest.raises(ValueError, match="bound to its row"):
        cipher.seal_many([b"x", b"y"], [b"1"])
    with pytest.raises(ValueError, match="bound to its row"):
        cipher.open_many([cipher.seal(b"x", b"1")], [])


def test_a_retired_key_opens_and_does_not_seal(make_keyring: MakeKeyring) -> None:
    old, new, tenant = KeyHandle.generate(), KeyHandle.generate(), uuid4()

    def build_cipher(keys: list[KeyringEntry]) -> BoundCipher:
        return make_keyring(keys=keys, tenant=tenant).get_cipher(Purpose.PROFILE, table="t", column="c")

    before = build_cipher([KeyringEntry(1, Purpose.PROFILE, True, old)])
    after = build_cipher(
        [KeyringEntry(1, Purpose.PROFILE, False, old), KeyringEntry(2, Purpose.PROFILE, True, new)]
    )
    assert after.open(before.seal(b"x", b"row"), b"row") == b"x"
    assert read_key_id(after.seal(b"x", b"row")) == 2


def test_a_purpose_without_a_key_is_an_error(make_keyring: MakeKeyring) -> None:
    keyring = make_keyring(keys=[KeyringEntry(1, Purpose.PROFILE, True, KeyHandle.generate())])
    with pytest.raises(KeyServiceUnavailable):
        keyring.get_cipher(Purpose.REVIEW, table="t", column="c")
    with pytest.raises(KeyServiceUnavailable):
        keyring.derive_pseudonym("uid", "someone")


@given(st.lists(st.binary(max_size=6), max_size=5), st.lists(st.binary(max_size=6), max_size=5))
def test_different_contexts_have_different_encodings(context_a: list[bytes], context_b: list[bytes]) -> None:
    assert (encode_associated_data(*context_a) == encode_associated_data(*context_b)) == (
        context_a == context_b
    )


def test_moving_a_letter_between_parts_changes_the_encoded_context() -> None:
    splits = [encode_associated_data("abc"[:index], "abc"[index:]) for index in range(4)]
    assert all(context_a != context_b for context_a, context_b in pairwise(splits))
    assert encode_mapping({"a": "1", "b": "2"}) == encode_mapping({"b": "2", "a": "1"})
