"""Every role against every permission and every action that asks for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tenants.control.actions import (
    add_member,
    change_role,
    create_api_key,
    create_user,
    invite_member,
    remove_member,
    resume_tenant,
    revoke_api_key,
    rotate_api_key,
    suspend_tenant,
    update_tenant,
)
from tenants.control.models import User
from tenants.control.read_models import NewApiKey
from tenants.control.roles import REQUIRED_ROLES, MemberRole, has_permission
from tenants.errors import Forbidden
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, control_scope
from tests.control.conftest import as_user

VIEWER, ANALYST, EDITOR, OWNER = MemberRole.VIEWER, MemberRole.ANALYST, MemberRole.EDITOR, MemberRole.OWNER

ACTIONS: dict[str, Callable[[Scope, Any], object]] = {
    "create_api_key": lambda s, _: create_api_key(s, name="x", scopes=["items:read"]),
    "rotate_api_key": lambda s, made: rotate_api_key(s, made.key),
    "revoke_api_key": lambda s, made: revoke_api_key(s, made.key),
    "add_member": lambda s, made: add_member(s, made.newcomer, VIEWER),
    "invite_member": lambda s, made: invite_member(s, email=made.newcomer.email, role=VIEWER),
    "change_role": lambda s, made: change_role(s, made.colleague.id, ANALYST),
    "remove_member": lambda s, made: remove_member(s, made.colleague.id),
    "update_tenant": lambda s, _: update_tenant(s, name="New name"),
}


class Made:
    """What the actions work on."""

    def __init__(self, key: str, newcomer: User, colleague: User) -> None:
        self.key, self.newcomer, self.colleague = key, newcomer, colleague


@pytest.fixture
def made(tenant: TenantRef, person: Any, new_key: Callable[..., NewApiKey]) -> Made:
    return Made(new_key(tenant).key.id, person(), person(tenant, VIEWER))


@pytest.mark.parametrize("name", ACTIONS)
def test_an_owner_may(name: str, tenant: TenantRef, person: Any, made: Made) -> None:
    owner = person(tenant, OWNER)
    with control_scope(tenant.id, actor=as_user(owner)) as s:
        ACTIONS[name](s, made)


@pytest.mark.parametrize("role", [EDITOR, ANALYST, VIEWER])
@pytest.mark.parametrize("name", ACTIONS)
def test_everybody_else_may_not(
    name: str, role: MemberRole, tenant: TenantRef, person: Any, made: Made
) -> None:
    member = person(tenant, role)
    with control_scope(tenant.id, actor=as_user(member)) as s, pytest.raises(Forbidden):
        ACTIONS[name](s, made)


@pytest.mark.parametrize("name", ACTIONS)
def test_an_owner_of_another_tenant_may_not(
    name: str, tenant: TenantRef, stranger_tenant: TenantRef, person: Any, made: Made
) -> None:
    stranger = person(stranger_tenant, OWNER)
    with control_scope(tenant.id, actor=as_user(stranger)) as s, pytest.raises(Forbidden):
        ACTIONS[name](s, made)


def test_nobody_of_the_tenant_changes_its_plan(tenant: TenantRef, person: Any) -> None:
    with control_scope(tenant.id, actor=as_user(person(tenant, OWNER))) as s, pytest.raises(Forbidden):
        update_tenant(s, plan="enterprise")


@pytest.mark.parametrize("change", [suspend_tenant, resume_tenant])
@pytest.mark.parametrize("kind", ["user", "key"])
def test_only_staff_suspend_and_resume(tenant: TenantRef, person: Any, change: Any, kind: Any) -> None:
    owner = person(tenant, OWNER)
    with control_scope(tenant.id, actor=Actor(kind, str(owner.id))) as s, pytest.raises(Forbidden):
        change(s, reason="because")


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (VIEWER, {"overview.read", "catalogue.read", "models.read", "preview.read", "privacy.read"}),
        (ANALYST, {"members.read", "reports.read"}),
        (EDITOR, {"catalogue.write", "models.write", "jobs.write", "keys.read"}),
        (OWNER, {"keys.write", "members.write", "privacy.write", "audit.read"}),
    ],
)
def test_a_role_adds_exactly_these_permissions_to_the_role_below(role: MemberRole, allowed: set[str]) -> None:
    below = [other for other in MemberRole if other.rank == role.rank - 1]
    before = {
        permission
        for permission in REQUIRED_ROLES
        if any(has_permission(other, permission) for other in below)
    }
    assert {
        permission for permission in REQUIRED_ROLES if has_permission(role, permission)
    } - before == allowed


def test_an_unknown_permission_is_an_error_and_not_a_no() -> None:
    with pytest.raises(KeyError):
        has_permission(OWNER, "catalogue.burn")


def test_an_account_without_a_tenant_has_no_right_anywhere(
    tenant: TenantRef, actor: Actor, made: Made
) -> None:
    nobody = create_user(email=f"nobody-{tenant.id}@example.com", actor=actor)
    with control_scope(tenant.id, actor=as_user(nobody)) as s, pytest.raises(Forbidden):
        ACTIONS["create_api_key"](s, made)
