"""Every role is checked against every permission and every action that requires one."""

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
from tests.control.conftest import build_user_actor

VIEWER, ANALYST, EDITOR, OWNER = MemberRole.VIEWER, MemberRole.ANALYST, MemberRole.EDITOR, MemberRole.OWNER

ACTIONS: dict[str, Callable[[Scope, Any], object]] = {
    "create_api_key": lambda s, _: create_api_key(s, name="x", scopes=["items:read"]),
    "rotate_api_key": lambda s, targets: rotate_api_key(s, targets.key),
    "revoke_api_key": lambda s, targets: revoke_api_key(s, targets.key),
    "add_member": lambda s, targets: add_member(s, targets.new_user, VIEWER),
    "invite_member": lambda s, targets: invite_member(s, email=targets.new_user.email, role=VIEWER),
    "change_role": lambda s, targets: change_role(s, targets.member.id, ANALYST),
    "remove_member": lambda s, targets: remove_member(s, targets.member.id),
    "update_tenant": lambda s, _: update_tenant(s, name="New name"),
}


class ActionTargets:
    """The rows that the actions change."""

    def __init__(self, key: str, new_user: User, member: User) -> None:
        self.key, self.new_user, self.member = key, new_user, member


@pytest.fixture
def targets(tenant: TenantRef, make_user: Any, make_key: Callable[..., NewApiKey]) -> ActionTargets:
    return ActionTargets(make_key(tenant).key.id, make_user(), make_user(tenant, VIEWER))


@pytest.mark.parametrize("name", ACTIONS)
def test_an_owner_is_permitted(name: str, tenant: TenantRef, make_user: Any, targets: ActionTargets) -> None:
    owner = make_user(tenant, OWNER)
    with control_scope(tenant.id, actor=build_user_actor(owner)) as s:
        ACTIONS[name](s, targets)


@pytest.mark.parametrize("role", [EDITOR, ANALYST, VIEWER])
@pytest.mark.parametrize("name", ACTIONS)
def test_other_roles_are_forbidden(
    name: str, role: MemberRole, tenant: TenantRef, make_user: Any, targets: ActionTargets
) -> None:
    member = make_user(tenant, role)
    with control_scope(tenant.id, actor=build_user_actor(member)) as s, pytest.raises(Forbidden):
        ACTIONS[name](s, targets)


@pytest.mark.parametrize("name", ACTIONS)
def test_an_owner_of_another_tenant_is_forbidden(
    name: str, tenant: TenantRef, stranger_tenant: TenantRef, make_user: Any, targets: ActionTargets
) -> None:
    stranger = make_user(stranger_tenant, OWNER)
    with control_scope(tenant.id, actor=build_user_actor(stranger)) as s, pytest.raises(Forbidden):
        ACTIONS[name](s, targets)


def test_an_owner_cannot_change_the_plan(tenant: TenantRef, make_user: Any) -> None:
    with (
        control_scope(tenant.id, actor=build_user_actor(make_user(tenant, OWNER))) as s,
        pytest.raises(Forbidden),
    ):
        update_tenant(s, plan="enterprise")


@pytest.mark.parametrize("change", [suspend_tenant, resume_tenant])
@pytest.mark.parametrize("kind", ["user", "key"])
def test_only_staff_suspend_and_resume(tenant: TenantRef, make_user: Any, change: Any, kind: Any) -> None:
    owner = make_user(tenant, OWNER)
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


def test_an_unknown_permission_raises_an_error() -> None:
    with pytest.raises(KeyError):
        has_permission(OWNER, "catalogue.burn")


def test_an_account_without_a_tenant_is_forbidden(
    tenant: TenantRef, actor: Actor, targets: ActionTargets
) -> None:
    user = create_user(email=f"nobody-{tenant.id}@example.com", actor=actor)
    with control_scope(tenant.id, actor=build_user_actor(user)) as s, pytest.raises(Forbidden):
        ACTIONS["create_api_key"](s, targets)
