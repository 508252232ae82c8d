from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from tenants.crypto import BoundCipher, KeyHandle, Keyring, KeyringEntry, Purpose

MakeKeyring = Callable[..., Keyring]


def generate_keys() -> list[KeyringEntry]:
    return [
        KeyringEntry(number, purpose, True, KeyHandle.generate()) for number, purpose in enumerate(Purpose, 1)
    ]


@pytest.fixture(scope="session")
def shared_keys() -> list[KeyringEntry]:
    """The same key material everywhere, so that only the bound context can refuse."""
    return generate_keys()


@pytest.fixture(scope="session")
def make_keyring(shared_keys: list[KeyringEntry]) -> MakeKeyring:
    def make(
        *, region: str = "eu", tenant: UUID | None = None, keys: list[KeyringEntry] | None = None
    ) -> Keyring:
        return Keyring(keys or shared_keys, region=region, tenant=tenant or uuid4())

    return make


@pytest.fixture(scope="session")
def keyring(make_keyring: MakeKeyring) -> Keyring:
    return make_keyring()


@pytest.fixture(scope="session")
def cipher(keyring: Keyring) -> BoundCipher:
    return keyring.get_cipher(Purpose.TIMELINE, table="timeline", column="body")
