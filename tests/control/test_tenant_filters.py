"""Queries of the control plane filter by tenant even when row-level security is disabled."""

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
    get_tenant,
    list_api_keys,
    list_audit_entries,
    list_members,
    list_memberships,
)
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


def test_a_stranger_still_gets_no_tenant(
    tenant: TenantRef, stranger_tenant: TenantRef, make_user: Any, actor: Actor, without_policies: None
) -> None:
    make_user(tenant, MemberRole.OWNER)
    stranger = make_user(stranger_tenant, MemberRole.OWNER)
    with control_scope(tenant.id, actor=actor) as s:
        slug = get_tenant(s).slug
    with pytest.raises(NotFound):
        get_membership_by_slug(stranger, slug)
    assert [membership.tenant.id for membership in list_memberships(stranger)] == [stranger_tenant.id]


def test_lists_still_contain_only_rows_of_the_tenant(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    make_user: Callable[..., User],
    make_key: Callable[..., NewApiKey],
    actor: Actor,
    without_policies: None,
) -> None:
    owner, created = make_user(tenant, MemberRole.OWNER), make_key(tenant)
    with control_scope(stranger_tenant.id, actor=actor) as s:
        assert (list_members(s), list_api_keys(s), get_role(s, owner.id)) == ([], [], None)
        assert created.key.id not in {entry.subject for entry in list_audit_entries(s, limit=500)}


@pytest.mark.parametrize("fetch", [get_api_key, rotate_api_key, revoke_api_key])
def test_another_tenants_key_is_still_absent(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    make_key: Callable[..., NewApiKey],
    actor: Actor,
    without_policies: None,
    fetch: Any,
) -> None:
    created = make_key(tenant)
    with control_scope(stranger_tenant.id, actor=actor) as s, pytest.raises(NotFound):
        fetch(s, created.key.id)


@pytest.mark.parametrize(
    "change", [remove_member, lambda s, user_id: change_role(s, user_id, MemberRole.OWNER)]
)
def test_another_tenants_member_is_still_absent(
    tenant: TenantRef,
    stranger_tenant: TenantRef,
    make_user: Callable[..., User],
    actor: Actor,
    without_policies: None,
    change: Any,
) -> None:
    member = make_user(tenant, MemberRole.EDITOR)
    with control_scope(stranger_tenant.id, actor=actor) as s, pytest.raises(NotFound):
        change(s, member.id)
