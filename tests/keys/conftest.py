from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tenants.crypto import BoundCipher, Purpose
from tenants.errors import KeyServiceUnavailable
from tenants.keys import queries, wrapped_keys
from tenants.keys.actions import create_tenant_keys
from tenants.regions import TenantRef
from tenants.scope import Actor


class SilentKms:
    """A key service that does not answer."""

    def wrap(self, secret: bytes, *, context: object) -> bytes:
        raise KeyServiceUnavailable

    def unwrap(self, blob: bytes, *, context: object) -> bytes:
        raise KeyServiceUnavailable

    def rotate(self) -> None:
        raise KeyServiceUnavailable


@pytest.fixture
def make_keyed_tenant(database: None, actor: Actor) -> Callable[..., TenantRef]:
    """A tenant that has keys and nothing else."""

    def make(region: str = "eu") -> TenantRef:
        tenant = TenantRef(uuid4(), region)
        create_tenant_keys(tenant, actor=actor)
        return tenant

    return make


@pytest.fixture
def keyed_tenant(make_keyed_tenant: Callable[..., TenantRef]) -> TenantRef:
    return make_keyed_tenant()


@pytest.fixture
def stranger(make_keyed_tenant: Callable[..., TenantRef]) -> TenantRef:
    return make_keyed_tenant()


@pytest.fixture
def silence_kms(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setattr(wrapped_keys, "get_kms", lambda _region: SilentKms())


@pytest.fixture
def make_review_cipher(database: None) -> Callable[[TenantRef], BoundCipher]:
    """Makes a cipher from a keyring that is loaded anew, as in another process."""

    def make(tenant: TenantRef) -> BoundCipher:
        queries.forget_keyring(tenant)
        return queries.get_keyring(tenant).get_cipher(Purpose.REVIEW, table="review", column="body")

    return make


@pytest.fixture
def tamper(superuser: Callable[..., Any]) -> Callable[..., int]:
    """Changes rows of the keys database as a superuser and returns their number."""

    def run(sql: str, *params: object) -> int:
        with superuser("keys_eu") as connection:
            return int(connection.execute(sql, params).rowcount)

    return run
