"""What earlier versions sealed, with key ids of two bytes, is still opened."""

from __future__ import annotations

import io
import os
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from tenants.crypto import BoundCipher, KeyHandle, Keyring, KeyringEntry, Purpose, associated_data
from tenants.crypto.aead import read_key_id
from tenants.crypto.streams import StreamContext, open_segments
from tenants.crypto.wrapping import unwrap
from tenants.errors import DecryptionFailed

TENANT = UUID(int=7)
PLACE = StreamContext(purpose=Purpose.MODEL, version="v1", name="weights")
KEY, NONCE, STREAM_ID = bytes(range(32)), b"n" * 12, b"s" * 16
OLD_ID = (5).to_bytes(2, "big")


def old_value(row: bytes) -> bytes:
    where = associated_data.encode_associated_data(
        associated_data.CELL, "eu", TENANT, Purpose.PROFILE, "profile", "body", OLD_ID
    )
    return b"LP\x01" + OLD_ID + NONCE + AESGCMSIV(KEY).encrypt(NONCE, b"said", where + row)


def old_stream() -> bytes:
    where = associated_data.encode_associated_data(
        associated_data.STREAM, "eu", TENANT, Purpose.MODEL, "v1", "weights", OLD_ID, STREAM_ID
    )
    position = (0).to_bytes(8, "big") + b"\x01"
    return b"LPS\x01" + OLD_ID + STREAM_ID + NONCE + AESGCMSIV(KEY).encrypt(NONCE, b"model", where + position)


@pytest.fixture
def cipher() -> BoundCipher:
    keys = {5: AESGCMSIV(KEY), 1 << 20: AESGCMSIV(os.urandom(32))}
    return BoundCipher(
        region="eu", tenant=TENANT, purpose=Purpose.PROFILE, table="profile", column="body",
        primary_key_id=1 << 20, keys=keys,
    )  # fmt: skip


def test_an_old_value_is_opened(cipher: BoundCipher) -> None:
    assert cipher.open(old_value(b"row"), b"row") == b"said"


def test_old_and_new_values_are_opened_together(cipher: BoundCipher) -> None:
    both = [old_value(b"one"), cipher.seal(b"new", b"two")]
    assert cipher.open_many(both, [b"one", b"two"]) == [b"said", b"new"]


def test_an_old_value_of_another_row_is_refused(cipher: BoundCipher) -> None:
    with pytest.raises(DecryptionFailed):
        cipher.open(old_value(b"row"), b"other")


def test_an_old_value_under_the_new_suite_is_refused(cipher: BoundCipher) -> None:
    with pytest.raises(DecryptionFailed):
        cipher.open(b"LP\x02" + old_value(b"row")[3:], b"row")


def test_the_key_of_either_kind_is_told(cipher: BoundCipher) -> None:
    assert read_key_id(old_value(b"row")) == 5
    assert read_key_id(cipher.seal(b"new", b"row")) == 1 << 20


def test_an_old_wrapped_key_is_opened() -> None:
    place = {"tenant": "t", "row": "r"}
    sealed = AESGCMSIV(KEY).encrypt(NONCE, bytes(32), associated_data.encode_mapping(place))
    unwrapped = unwrap(KeyHandle(KEY), b"LP\x01" + NONCE + sealed, context=place)
    assert unwrapped.reveal_material() == bytes(32)


def test_an_old_stream_is_opened(old_ring: Keyring) -> None:
    assert b"".join(open_segments(old_ring, io.BytesIO(old_stream()), stream_context=PLACE)) == b"model"


@pytest.fixture
def old_ring() -> Keyring:
    return Keyring([KeyringEntry(5, Purpose.MODEL, True, KeyHandle(KEY))], region="eu", tenant=TENANT)
