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
def make_keyed(database: None, actor: Actor) -> Callable[..., TenantRef]:
    """A tenant that has keys and nothing else."""

    def make(region: str = "eu") -> TenantRef:
        tenant = TenantRef(uuid4(), region)
        create_tenant_keys(tenant, actor=actor)
        return tenant

    return make


@pytest.fixture
def keyed(make_keyed: Callable[..., TenantRef]) -> TenantRef:
    return make_keyed()


@pytest.fixture
def stranger(make_keyed: Callable[..., TenantRef]) -> TenantRef:
    return make_keyed()


@pytest.fixture
def silence_kms(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setattr(wrapped_keys, "get_kms", lambda _region: SilentKms())


@pytest.fixture
def review_cipher(database: None) -> Callable[[TenantRef], BoundCipher]:
    """From a keyring that was loaded just now, as another process would."""

    def fresh(tenant: TenantRef) -> BoundCipher:
        queries.forget_keyring(tenant)
        return queries.get_keyring(tenant).get_cipher(Purpose.REVIEW, table="review", column="body")

    return fresh


@pytest.fixture
def tamper(superuser: Callable[..., Any]) -> Callable[..., int]:
    """Changes rows of the keys database behind everybody's back; returns how many."""

    def run(sql: str, *params: object) -> int:
        with superuser("keys_eu") as connection:
            return int(connection.execute(sql, params).rowcount)

    return run
