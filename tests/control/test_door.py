"""From an address to a tenant: through the caller's own membership, and through nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.control.actions import suspend_tenant
from tenants.control.models import Member, User
from tenants.control.queries import tenant as tenant_of
from tenants.control.queries import tenant_by_slug_for, tenant_directory
from tenants.control.roles import Role
from tenants.errors import Forbidden, NotFound, ScopeRequired, TenantSuspended
from tenants.regions import TenantRef
from tenants.scope import Actor, control_ops, control_scope, user_scope

Person = Callable[..., User]


def slug_of(tenant: TenantRef, actor: Actor) -> str:
    with control_scope(tenant.id, actor=actor) as s:
        return tenant_of(s).slug


def test_a_member_enters_with_own_role(tenant: TenantRef, person: Person, actor: Actor) -> None:
    user = person(tenant, Role.EDITOR)
    entered = tenant_by_slug_for(user, slug_of(tenant, actor), Role.ANALYST)
    assert (entered.tenant.ref, entered.role) == (tenant, Role.EDITOR)


def test_a_stranger_gets_the_answer_of_an_absent_tenant(
    tenant: TenantRef, stranger_tenant: TenantRef, person: Person, actor: Actor
) -> None:
    stranger = person(stranger_tenant, Role.OWNER)
    with pytest.raises(NotFound) as of_foreign:
        tenant_by_slug_for(stranger, slug_of(tenant, actor))
    with pytest.raises(NotFound) as of_absent:
        tenant_by_slug_for(stranger, "no-such-tenant")
    assert of_foreign.value.detail == of_absent.value.detail


@pytest.mark.parametrize("wanted", [Role.EDITOR, Role.OWNER, "owner"])
def test_a_role_that_is_too_low_is_forbidden(
    tenant: TenantRef, person: Person, actor: Actor, wanted: Any
) -> None:
    user = person(tenant, Role.ANALYST)
    with pytest.raises(Forbidden):
        tenant_by_slug_for(user, slug_of(tenant, actor), wanted)


def test_a_suspended_tenant_lets_nobody_in(tenant: TenantRef, person: Person, actor: Actor) -> None:
    user = person(tenant, Role.OWNER)
    with control_scope(tenant.id, actor=Actor("staff", "ops")) as s:
        suspend_tenant(s, reason="unpaid")
    with pytest.raises(TenantSuspended):
        tenant_by_slug_for(user, slug_of(tenant, actor))


def test_a_deactivated_account_is_a_stranger(tenant: TenantRef, person: Person, actor: Actor) -> None:
    user = person(tenant, Role.OWNER)
    user.is_active = False
    with pytest.raises(NotFound):
        tenant_by_slug_for(user, slug_of(tenant, actor))


def test_the_users_own_claim_cannot_write_memberships(tenant: TenantRef, person: Person) -> None:
    from django.db import ProgrammingError

    user = person(tenant, Role.VIEWER)
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        user_scope(user.id, actor=Actor("user", "x")),
    ):
        Member.objects.filter(user_id=user.id).update(role=Role.OWNER)


def test_the_directory_is_not_for_one_tenants_scope(tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s, pytest.raises(ScopeRequired):
        tenant_directory(s)
    with control_ops("staff", actor=actor, reason="test") as s:
        assert tenant.id in {entry.id for entry in tenant_directory(s)}


def test_members_cannot_be_asked_for_without_a_scope(database: None) -> None:
    with pytest.raises(ScopeRequired):
        Member.objects.count()
