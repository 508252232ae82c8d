"""The last use of a key is recorded in the background, at most once a minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tenants.control import key_use
from tenants.control.queries import get_api_key
from tenants.control.read_models import NewApiKey
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope


@pytest.fixture(autouse=True)
def clear_recorded_uses() -> Iterator[None]:
    key_use._recorded_at.clear()
    yield
    key_use._recorded_at.clear()


def test_using_a_key_is_recorded(tenant: TenantRef, make_key: Callable[..., NewApiKey], actor: Actor) -> None:
    created = make_key(tenant)
    future = key_use.record_use(tenant.id, created.key.id)
    assert future is not None
    future.result(timeout=10)
    with control_scope(tenant.id, actor=actor) as s:
        assert get_api_key(s, created.key.id).last_used_at is not None


def test_a_second_use_within_the_minute_writes_nothing(
    tenant: TenantRef, make_key: Callable[..., NewApiKey]
) -> None:
    created = make_key(tenant)
    future = key_use.record_use(tenant.id, created.key.id)
    assert future is not None
    future.result(timeout=10)
    assert key_use.record_use(tenant.id, created.key.id) is None


def test_a_use_cannot_be_recorded_for_a_key_of_another_tenant(
    tenant: TenantRef, stranger_tenant: TenantRef, make_key: Callable[..., NewApiKey], actor: Actor
) -> None:
    created = make_key(tenant)
    future = key_use.record_use(stranger_tenant.id, created.key.id)
    assert future is not None
    future.result(timeout=10)
    with control_scope(tenant.id, actor=actor) as s:
        assert get_api_key(s, created.key.id).last_used_at is None
