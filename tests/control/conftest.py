"""Fixtures that make users and API keys of a tenant."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from tenants.control.actions import add_member, create_api_key, create_user
from tenants.control.models import User
from tenants.control.queries.authentication import clear_api_key_cache
from tenants.control.read_models import NewApiKey
from tenants.control.roles import MemberRole
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

MakeUser = Callable[..., User]


@pytest.fixture(autouse=True)
def clear_cache() -> Iterator[None]:
    clear_api_key_cache()
    yield
    clear_api_key_cache()


@pytest.fixture
def make_user(database: None, actor: Actor) -> MakeUser:
    """`make_user()` returns a user; `make_user(tenant, "editor")` returns a member of the tenant."""

    def make(tenant: TenantRef | None = None, role: MemberRole | str = MemberRole.VIEWER) -> User:
        user = create_user(email=f"{secrets.token_hex(6)}@example.com", actor=actor)
        if tenant is not None:
            with control_scope(tenant.id, actor=actor) as s:
                add_member(s, user, role)
        return user

    return make


@pytest.fixture
def make_key(actor: Actor) -> Callable[..., NewApiKey]:
    """`make_key(tenant, cidrs=[...])` creates an API key; keywords override the defaults."""

    def make(tenant: TenantRef, **overrides: object) -> NewApiKey:
        with control_scope(tenant.id, actor=actor) as s:
            return create_api_key(s, **{"name": "test", "scopes": ["items:read"], **overrides})

    return make


def build_user_actor(user: User) -> Actor:
    return Actor("user", str(user.id))
