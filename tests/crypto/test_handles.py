from __future__ import annotations

import copy
import json
import pickle
from uuid import uuid4

import pytest

from tenants.crypto import KeyHandle, Keyring, KeyringEntry, Purpose
from tenants.crypto.handles import UnpicklableSecret
from tenants.crypto.pseudonyms import KeyedHash
from tenants.crypto.signing import Signer

MATERIAL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def _build_secrets() -> dict[str, object]:
    key = KeyHandle(MATERIAL)
    keyring = Keyring(
        [KeyringEntry(1, Purpose.REVIEW, True, key), KeyringEntry(2, Purpose.PSEUDONYM, True, key)],
        region="eu",
        tenant=uuid4(),
    )
    return {
        "handle": key,
        "ring key": KeyringEntry(1, Purpose.REVIEW, True, key),
        "keyring": keyring,
        "cipher": keyring.get_cipher(Purpose.REVIEW, table="t", column="c"),
        "keyed hash": KeyedHash(key),
        "signer": Signer(MATERIAL),
    }


@pytest.mark.parametrize("name", list(_build_secrets()))
def test_key_material_is_not_printed(name: str) -> None:
    secret = _build_secrets()[name]
    output = f"{secret!r} {secret} {secret!a} {[secret]}"
    assert MATERIAL.decode() not in output
    assert MATERIAL.hex() not in output
    assert "<" in output


@pytest.mark.parametrize("name", list(_build_secrets()))
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_key_material_is_not_pickled(name: str, protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(_build_secrets()[name], protocol)


@pytest.mark.parametrize("name", list(_build_secrets()))
def test_key_material_is_not_deeply_copied_or_serialised(name: str) -> None:
    with pytest.raises(TypeError):
        copy.deepcopy(_build_secrets()[name])
    with pytest.raises(TypeError):
        json.dumps(_build_secrets()[name])


def test_handles_have_no_dictionary_to_dump() -> None:
    assert not hasattr(KeyHandle(MATERIAL), "__dict__")
    assert UnpicklableSecret.__slots__ == ()


def test_keys_are_not_compared_and_not_hashed() -> None:
    with pytest.raises(TypeError, match="not compared"):
        assert KeyHandle(MATERIAL) == KeyHandle(MATERIAL)
    with pytest.raises(TypeError):
        hash(KeyHandle(MATERIAL))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        KeyHandle(b"short")
