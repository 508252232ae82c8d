"""From an address to a tenant: through the caller's own membership, and through nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.control.actions import suspend_tenant
from tenants.control.models import Member, User
from tenants.control.queries import get_membership_by_slug, list_tenants
from tenants.control.queries import get_tenant as tenant_of
from tenants.control.roles import MemberRole
from tenants.errors import Forbidden, NotFound, ScopeRequired, TenantSuspended
from tenants.regions import TenantRef
from tenants.scope import Actor, control_ops, control_scope, user_scope

Person = Callable[..., User]


def slug_of(tenant: TenantRef, actor: Actor) -> str:
    with control_scope(tenant.id, actor=actor) as s:
        return tenant_of(s).slug


def test_a_member_enters_with_own_role(tenant: TenantRef, person: Person, actor: Actor) -> None:
    user = person(tenant, MemberRole.EDITOR)
    entered = get_membership_by_slug(user, slug_of(tenant, actor), MemberRole.ANALYST)
    assert (entered.tenant.ref, entered.role) == (tenant, MemberRole.EDITOR)


def test_a_stranger_gets_the_answer_of_an_absent_tenant(
    tenant: TenantRef, stranger_tenant: TenantRef, person: Person, actor: Actor
) -> None:
    stranger = person(stranger_tenant, MemberRole.OWNER)
    with pytest.raises(NotFound) as of_foreign:
        get_membership_by_slug(stranger, slug_of(tenant, actor))
    with pytest.raises(NotFound) as of_absent:
        get_membership_by_slug(stranger, "no-such-tenant")
    assert of_foreign.value.detail == of_absent.value.detail


@pytest.mark.parametrize("wanted", [MemberRole.EDITOR, MemberRole.OWNER, "owner"])
def test_a_role_that_is_too_low_is_forbidden(
    tenant: TenantRef, person: Person, actor: Actor, wanted: Any
) -> None:
    user = person(tenant, MemberRole.ANALYST)
    with pytest.raises(Forbidden):
        get_membership_by_slug(user, slug_of(tenant, actor), wanted)


def test_a_suspended_tenant_lets_nobody_in(tenant: TenantRef, person: Person, actor: Actor) -> None:
    user = person(tenant, MemberRole.OWNER)
    with control_scope(tenant.id, actor=Actor("staff", "ops")) as s:
        suspend_tenant(s, reason="unpaid")
    with pytest.raises(TenantSuspended):
        get_membership_by_slug(user, slug_of(tenant, actor))


def test_a_deactivated_account_is_a_stranger(tenant: TenantRef, person: Person, actor: Actor) -> None:
    user = person(tenant, MemberRole.OWNER)
    user.is_active = False
    with pytest.raises(NotFound):
        get_membership_by_slug(user, slug_of(tenant, actor))


def test_the_users_own_claim_cannot_write_memberships(tenant: TenantRef, person: Person) -> None:
    from django.db import ProgrammingError

    user = person(tenant, MemberRole.VIEWER)
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        user_scope(user.id, actor=Actor("user", "x")),
    ):
        Member.objects.filter(user_id=user.id).update(role=MemberRole.OWNER)


def test_the_directory_is_not_for_one_tenants_scope(tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s, pytest.raises(ScopeRequired):
        list_tenants(s)
    with control_ops("staff", actor=actor, reason="test") as s:
        assert tenant.id in {entry.id for entry in list_tenants(s)}


def test_members_cannot_be_asked_for_without_a_scope(database: None) -> None:
    with pytest.raises(ScopeRequired):
        Member.objects.count()
