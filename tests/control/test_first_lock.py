"""The first lock alone: with the policies of the control plane off, the queries still name their tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tenants.control.actions import change_role, remove_member, revoke_api_key, rotate_api_key
from tenants.control.models import User
from tenants.control.queries import (
    api_key,
    api_keys,
    audit_page,
    members,
    memberships,
    role_of,
    tenant_by_slug_for,
)
from tenants.control.queries import tenant as tenant_of
from tenants.control.results import NewApiKey
from tenants.control.roles import Role
from tenants.errors import NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

TABLES = ("control_member", "control_apikey", "control_auditentry")


@pytest.fixture
def without_policies(superuser: Callable[..., Any]) -> Iterator[None]:
    connection = superuser()
    for table in TABLES:
        connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    yield
    for table in TABLES:
        connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")


def test_a_stranger_still_finds_no_tenant(
    tenant: TenantRef, stranger_tenant: TenantRef, person: Any, actor: Actor, without_policies: None
) -> None:
    person(tenant, Role.OWNER)
    stranger = person(stranger_tenant, Role.OWNER)
    with control_scope(tenant.id, actor=actor) as s:
        slug = tenant_of(s).slug
    with pytest.raises(NotFound):
        tenant_by_slug_for(stranger, slug)
    assert [membership.tenant.id for membership in memberships(stranger)] == [stranger_tenant.id]


def test_lists_still_hold_own_rows_only(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    person: Callable[..., User],
    new_key: Callable[..., NewApiKey],
    actor: Actor,
    without_policies: None,
) -> None:
    owner, made = person(tenant, Role.OWNER), new_key(tenant)
    with control_scope(stranger_tenant.id, actor=actor) as s:
        assert (members(s), api_keys(s), role_of(s, owner.id)) == ([], [], None)
        assert made.key.id not in {entry.subject for entry in audit_page(s, limit=500)}


@pytest.mark.parametrize("fetch", [api_key, rotate_api_key, revoke_api_key])
def test_another_tenants_key_is_still_absent(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    new_key: Callable[..., NewApiKey],
    actor: Actor,
    without_policies: None,
    fetch: Any,
) -> None:
    made = new_key(tenant)
    with control_scope(stranger_tenant.id, actor=actor) as s, pytest.raises(NotFound):
        fetch(s, made.key.id)


@pytest.mark.parametrize("change", [remove_member, lambda s, user_id: change_role(s, user_id, Role.OWNER)])
def test_another_tenants_member_is_still_absent(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    person: Callable[..., User],
    actor: Actor,
    without_policies: None,
    change: Any,
) -> None:
    member = person(tenant, Role.EDITOR)
    with control_scope(stranger_tenant.id, actor=actor) as s, pytest.raises(NotFound):
        change(s, member.id)
