"""A slug resolves to a tenant only through the membership of the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.control.actions import suspend_tenant
from tenants.control.models import Member, User
from tenants.control.queries import get_membership_by_slug, get_tenant, list_tenants
from tenants.control.roles import MemberRole
from tenants.errors import Forbidden, NotFound, ScopeRequired, TenantSuspended
from tenants.regions import TenantRef
from tenants.scope import Actor, control_ops, control_scope, user_scope

MakeUser = Callable[..., User]


def get_slug(tenant: TenantRef, actor: Actor) -> str:
    with control_scope(tenant.id, actor=actor) as s:
        return get_tenant(s).slug


def test_a_membership_has_the_role_of_the_member(
    tenant: TenantRef, make_user: MakeUser, actor: Actor
) -> None:
    user = make_user(tenant, MemberRole.EDITOR)
    membership = get_membership_by_slug(user, get_slug(tenant, actor), MemberRole.ANALYST)
    assert (membership.tenant.ref, membership.role) == (tenant, MemberRole.EDITOR)


def test_a_stranger_gets_the_error_of_an_absent_tenant(
    tenant: TenantRef, stranger_tenant: TenantRef, make_user: MakeUser, actor: Actor
) -> None:
    stranger = make_user(stranger_tenant, MemberRole.OWNER)
    with pytest.raises(NotFound) as foreign_error:
        get_membership_by_slug(stranger, get_slug(tenant, actor))
    with pytest.raises(NotFound) as absent_error:
        get_membership_by_slug(stranger, "no-such-tenant")
    assert foreign_error.value.detail == absent_error.value.detail


@pytest.mark.parametrize("required_role", [MemberRole.EDITOR, MemberRole.OWNER, "owner"])
def test_a_role_that_is_too_low_is_forbidden(
    tenant: TenantRef, make_user: MakeUser, actor: Actor, required_role: Any
) -> None:
    user = make_user(tenant, MemberRole.ANALYST)
    with pytest.raises(Forbidden):
        get_membership_by_slug(user, get_slug(tenant, actor), required_role)


def test_a_suspended_tenant_refuses_all_members(tenant: TenantRef, make_user: MakeUser, actor: Actor) -> None:
    user = make_user(tenant, MemberRole.OWNER)
    with control_scope(tenant.id, actor=Actor("staff", "ops")) as s:
        suspend_tenant(s, reason="unpaid")
    with pytest.raises(TenantSuspended):
        get_membership_by_slug(user, get_slug(tenant, actor))


def test_a_deactivated_account_has_no_access(tenant: TenantRef, make_user: MakeUser, actor: Actor) -> None:
    user = make_user(tenant, MemberRole.OWNER)
    user.is_active = False
    with pytest.raises(NotFound):
        get_membership_by_slug(user, get_slug(tenant, actor))


def test_the_user_claim_cannot_write_memberships(tenant: TenantRef, make_user: MakeUser) -> None:
    from django.db import ProgrammingError

    user = make_user(tenant, MemberRole.VIEWER)
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        user_scope(user.id, actor=Actor("user", "x")),
    ):
        Member.objects.filter(user_id=user.id).update(role=MemberRole.OWNER)


def test_a_tenant_scope_cannot_list_tenants(tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s, pytest.raises(ScopeRequired):
        list_tenants(s)
    with control_ops("staff", actor=actor, reason="test") as s:
        assert tenant.id in {entry.id for entry in list_tenants(s)}


def test_members_cannot_be_queried_without_a_scope(database: None) -> None:
    with pytest.raises(ScopeRequired):
        Member.objects.count()
