"""The first lock alone: with the policies of the control plane off, the queries still name their tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tenants.control.actions import change_role, remove_member, revoke_api_key, rotate_api_key
from tenants.control.models import User
from tenants.control.queries import (
    get_api_key,
    get_membership_by_slug,
    get_role,
    list_api_keys,
    list_audit_entries,
    list_members,
    list_memberships,
)
from tenants.control.queries import get_tenant as tenant_of
from tenants.control.read_models import NewApiKey
from tenants.control.roles import MemberRole
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
    person(tenant, MemberRole.OWNER)
    stranger = person(stranger_tenant, MemberRole.OWNER)
    with control_scope(tenant.id, actor=actor) as s:
        slug = tenant_of(s).slug
    with pytest.raises(NotFound):
        get_membership_by_slug(stranger, slug)
    assert [membership.tenant.id for membership in list_memberships(stranger)] == [stranger_tenant.id]


def test_lists_still_hold_own_rows_only(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    person: Callable[..., User],
    new_key: Callable[..., NewApiKey],
    actor: Actor,
    without_policies: None,
) -> None:
    owner, created = person(tenant, MemberRole.OWNER), new_key(tenant)
    with control_scope(stranger_tenant.id, actor=actor) as s:
        assert (list_members(s), list_api_keys(s), get_role(s, owner.id)) == ([], [], None)
        assert created.key.id not in {entry.subject for entry in list_audit_entries(s, limit=500)}


@pytest.mark.parametrize("fetch", [get_api_key, rotate_api_key, revoke_api_key])
def test_another_tenants_key_is_still_absent(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    new_key: Callable[..., NewApiKey],
    actor: Actor,
    without_policies: None,
    fetch: Any,
) -> None:
    created = new_key(tenant)
    with control_scope(stranger_tenant.id, actor=actor) as s, pytest.raises(NotFound):
        fetch(s, created.key.id)


@pytest.mark.parametrize(
    "change", [remove_member, lambda s, user_id: change_role(s, user_id, MemberRole.OWNER)]
)
def test_another_tenants_member_is_still_absent(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    person: Callable[..., User],
    actor: Actor,
    without_policies: None,
    change: Any,
) -> None:
    member = person(tenant, MemberRole.EDITOR)
    with control_scope(stranger_tenant.id, actor=actor) as s, pytest.raises(NotFound):
        change(s, member.id)
