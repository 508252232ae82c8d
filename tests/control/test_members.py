"""Members of a tenant are managed; the last owner cannot be removed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from tenants.control.actions import add_member, change_role, invite_member, remove_member
from tenants.control.models import User
from tenants.control.queries import get_role, list_members, list_memberships
from tenants.control.roles import MemberRole
from tenants.errors import Conflict, DomainError, NotFound, QuotaExceeded
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope
from tests.control.conftest import build_user_actor

MakeUser = Callable[..., User]


def test_the_last_owner_is_neither_removed_nor_demoted(tenant: TenantRef, make_user: MakeUser) -> None:
    owner = make_user(tenant, MemberRole.OWNER)
    make_user(tenant, MemberRole.EDITOR)
    with control_scope(tenant.id, actor=build_user_actor(owner)) as s:
        for change in (
            lambda: remove_member(s, owner.id),
            lambda: change_role(s, owner.id, MemberRole.EDITOR),
        ):
            with pytest.raises(Conflict, match="at least one owner"):
                change()
        assert get_role(s, owner.id) is MemberRole.OWNER


def test_one_of_two_owners_can_be_removed(tenant: TenantRef, make_user: MakeUser) -> None:
    first_owner, second_owner = make_user(tenant, MemberRole.OWNER), make_user(tenant, MemberRole.OWNER)
    with control_scope(tenant.id, actor=build_user_actor(first_owner)) as s:
        remove_member(s, first_owner.id)
        assert [member.user_id for member in list_members(s)] == [second_owner.id]


def test_two_owners_who_remove_each_other_at_once_leave_one(
    tenant: TenantRef, make_user: MakeUser, actor: Actor
) -> None:
    owners = [make_user(tenant, MemberRole.OWNER), make_user(tenant, MemberRole.OWNER)]
    barrier, refusals = threading.Barrier(2), []

    def remove_in_thread(user: User) -> None:
        try:
            with control_scope(tenant.id, actor=actor) as s:
                barrier.wait(timeout=10)
                remove_member(s, user.id)
        except DomainError as error:
            refusals.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=remove_in_thread, args=(owner,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    with control_scope(tenant.id, actor=actor) as s:
        assert len(list_members(s)) == 1
    assert refusals == ["conflict"]


def test_a_member_cannot_be_added_twice(tenant: TenantRef, make_user: MakeUser, actor: Actor) -> None:
    user = make_user(tenant, MemberRole.EDITOR)
    with control_scope(tenant.id, actor=actor) as s:
        with pytest.raises(Conflict, match="already"):
            add_member(s, user, MemberRole.VIEWER)
        assert get_role(s, user.id) is MemberRole.EDITOR


def test_members_are_listed_by_role_then_address(
    tenant: TenantRef, make_user: MakeUser, actor: Actor
) -> None:
    make_user(tenant, MemberRole.VIEWER)
    make_user(tenant, MemberRole.OWNER)
    with control_scope(tenant.id, actor=actor) as s:
        assert [member.role for member in list_members(s)] == [MemberRole.OWNER, MemberRole.VIEWER]


def test_an_invitation_matches_accounts_without_case(
    tenant: TenantRef, make_user: MakeUser, actor: Actor
) -> None:
    user = make_user()
    with control_scope(tenant.id, actor=actor) as s:
        assert invite_member(s, email=f" {user.email.upper()} ", role=MemberRole.VIEWER).user_id == user.id


def test_an_invitation_creates_an_account_without_a_password(tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s:
        invited = invite_member(s, email=f"new-{tenant.id}@example.com", role=MemberRole.ANALYST)
    assert not User.objects.get(id=invited.user_id).has_usable_password()


@pytest.mark.parametrize(
    "change", [remove_member, lambda s, user_id: change_role(s, user_id, MemberRole.OWNER)]
)
def test_a_stranger_is_an_absent_member(
    tenant: TenantRef, stranger_tenant: TenantRef, make_user: MakeUser, actor: Actor, change: Any
) -> None:
    stranger = make_user(stranger_tenant, MemberRole.VIEWER)
    with control_scope(tenant.id, actor=actor) as s, pytest.raises(NotFound):
        change(s, stranger.id)


def test_the_plan_limits_members(make_tenant: Callable[..., TenantRef], make_user: MakeUser) -> None:
    tenant = make_tenant(plan="free")
    for _ in range(5):
        make_user(tenant, MemberRole.VIEWER)
    with pytest.raises(QuotaExceeded):
        make_user(tenant, MemberRole.VIEWER)


def test_a_user_sees_exactly_their_memberships(
    tenant: TenantRef, stranger_tenant: TenantRef, make_user: MakeUser, actor: Actor
) -> None:
    user = make_user(tenant, MemberRole.EDITOR)
    make_user(stranger_tenant, MemberRole.OWNER)
    with control_scope(stranger_tenant.id, actor=actor) as s:
        add_member(s, user, MemberRole.VIEWER)
    roles = {membership.tenant.id: membership.role for membership in list_memberships(user)}
    assert roles == {tenant.id: MemberRole.EDITOR, stranger_tenant.id: MemberRole.VIEWER}


def test_the_name_of_an_added_account_is_shown_after_it_has_signed_in_as_a_member(
    tenant: TenantRef, stranger_tenant: TenantRef, make_user: MakeUser
) -> None:
    owner, other_owner = make_user(tenant, MemberRole.OWNER), make_user(stranger_tenant, MemberRole.OWNER)
    User.objects.filter(pk=other_owner.pk).update(name="Ada", last_login=timezone.now())
    with control_scope(tenant.id, actor=build_user_actor(owner)) as s:
        added = invite_member(s, email=other_owner.email, role=MemberRole.VIEWER)
        listed = next(view for view in list_members(s) if view.user_id == other_owner.pk)
    User.objects.filter(pk=other_owner.pk).update(last_login=timezone.now())
    with control_scope(tenant.id, actor=build_user_actor(owner)) as s:
        later = next(view for view in list_members(s) if view.user_id == other_owner.pk)
    assert {(view.name, view.last_sign_in) for view in (added, listed)} == {("", None)}
    assert (later.name, later.last_sign_in is None) == ("Ada", False)
