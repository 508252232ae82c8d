"""People and keys of one tenant, and of a stranger's."""

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

Person = Callable[..., User]


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    clear_api_key_cache()
    yield
    clear_api_key_cache()


@pytest.fixture
def person(database: None, actor: Actor) -> Person:
    """`person()` has an account; `person(tenant, "editor")` is a member too."""

    def make(tenant: TenantRef | None = None, role: MemberRole | str = MemberRole.VIEWER) -> User:
        user = create_user(email=f"{secrets.token_hex(6)}@example.com", actor=actor)
        if tenant is not None:
            with control_scope(tenant.id, actor=actor) as s:
                add_member(s, user, role)
        return user

    return make


@pytest.fixture
def new_key(actor: Actor) -> Callable[..., NewApiKey]:
    """`new_key(tenant, cidrs=[...])`"""

    def make(tenant: TenantRef, **given: object) -> NewApiKey:
        with control_scope(tenant.id, actor=actor) as s:
            return create_api_key(s, **{"name": "test", "scopes": ["items:read"], **given})

    return make


def as_user(user: User) -> Actor:
    return Actor("user", str(user.id))
