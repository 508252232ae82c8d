"""People of a tenant; the last owner stays."""

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
from tests.control.conftest import as_user

Person = Callable[..., User]


def test_the_last_owner_is_neither_removed_nor_demoted(tenant: TenantRef, person: Person) -> None:
    owner = person(tenant, MemberRole.OWNER)
    person(tenant, MemberRole.EDITOR)
    with control_scope(tenant.id, actor=as_user(owner)) as s:
        for change in (
            lambda: remove_member(s, owner.id),
            lambda: change_role(s, owner.id, MemberRole.EDITOR),
        ):
            with pytest.raises(Conflict, match="at least one owner"):
                change()
        assert get_role(s, owner.id) is MemberRole.OWNER


def test_one_of_two_owners_may_go(tenant: TenantRef, person: Person) -> None:
    first_owner, second_owner = person(tenant, MemberRole.OWNER), person(tenant, MemberRole.OWNER)
    with control_scope(tenant.id, actor=as_user(first_owner)) as s:
        remove_member(s, first_owner.id)
        assert [member.user_id for member in list_members(s)] == [second_owner.id]


def test_two_owners_who_remove_each_other_at_once_leave_one(
    tenant: TenantRef, person: Person, actor: Actor
) -> None:
    owners = [person(tenant, MemberRole.OWNER), person(tenant, MemberRole.OWNER)]
    together, refusals = threading.Barrier(2), []

    def leave(user: User) -> None:
        try:
            with control_scope(tenant.id, actor=actor) as s:
                together.wait(timeout=10)
                remove_member(s, user.id)
        except DomainError as error:
            refusals.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=leave, args=(owner,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    with control_scope(tenant.id, actor=actor) as s:
        assert len(list_members(s)) == 1
    assert refusals == ["conflict"]


def test_nobody_is_a_member_twice(tenant: TenantRef, person: Person, actor: Actor) -> None:
    user = person(tenant, MemberRole.EDITOR)
    with control_scope(tenant.id, actor=actor) as s:
        with pytest.raises(Conflict, match="already"):
            add_member(s, user, MemberRole.VIEWER)
        assert get_role(s, user.id) is MemberRole.EDITOR


def test_members_are_listed_by_role_then_address(tenant: TenantRef, person: Person, actor: Actor) -> None:
    person(tenant, MemberRole.VIEWER)
    person(tenant, MemberRole.OWNER)
    with control_scope(tenant.id, actor=actor) as s:
        assert [member.role for member in list_members(s)] == [MemberRole.OWNER, MemberRole.VIEWER]


def test_an_invitation_finds_the_account_whatever_its_case(
    tenant: TenantRef, person: Person, actor: Actor
) -> None:
    user = person()
    with control_scope(tenant.id, actor=actor) as s:
        assert invite_member(s, email=f" {user.email.upper()} ", role=MemberRole.VIEWER).user_id == user.id


def test_an_invitation_makes_an_account_that_cannot_sign_in_yet(tenant: TenantRef, actor: Actor) -> None:
    with control_scope(tenant.id, actor=actor) as s:
        invited = invite_member(s, email=f"new-{tenant.id}@example.com", role=MemberRole.ANALYST)
    assert not User.objects.get(id=invited.user_id).has_usable_password()


@pytest.mark.parametrize(
    "change", [remove_member, lambda s, user_id: change_role(s, user_id, MemberRole.OWNER)]
)
def test_a_stranger_is_an_absent_member(
    tenant: TenantRef, stranger_tenant: TenantRef, person: Person, actor: Actor, change: Any
) -> None:
    stranger = person(stranger_tenant, MemberRole.VIEWER)
    with control_scope(tenant.id, actor=actor) as s, pytest.raises(NotFound):
        change(s, stranger.id)


def test_the_plan_limits_members(make_tenant: Callable[..., TenantRef], person: Person) -> None:
    tenant = make_tenant(plan="free")
    for _ in range(5):
        person(tenant, MemberRole.VIEWER)
    with pytest.raises(QuotaExceeded):
        person(tenant, MemberRole.VIEWER)


def test_a_user_sees_all_own_memberships_and_nobody_elses(
    tenant: TenantRef, stranger_tenant: TenantRef, person: Person, actor: Actor
) -> None:
    user = person(tenant, MemberRole.EDITOR)
    person(stranger_tenant, MemberRole.OWNER)
    with control_scope(stranger_tenant.id, actor=actor) as s:
        add_member(s, user, MemberRole.VIEWER)
    roles = {membership.tenant.id: membership.role for membership in list_memberships(user)}
    assert roles == {tenant.id: MemberRole.EDITOR, stranger_tenant.id: MemberRole.VIEWER}


def test_an_account_that_is_added_shows_its_name_once_its_person_has_signed_in_as_a_member(
    tenant: TenantRef, stranger_tenant: TenantRef, person: Person
) -> None:
    owner, other_owner = person(tenant, MemberRole.OWNER), person(stranger_tenant, MemberRole.OWNER)
    User.objects.filter(pk=other_owner.pk).update(name="Ada", last_login=timezone.now())
    with control_scope(tenant.id, actor=as_user(owner)) as s:
        added = invite_member(s, email=other_owner.email, role=MemberRole.VIEWER)
        listed = next(view for view in list_members(s) if view.user_id == other_owner.pk)
    User.objects.filter(pk=other_owner.pk).update(last_login=timezone.now())
    with control_scope(tenant.id, actor=as_user(owner)) as s:
        later = next(view for view in list_members(s) if view.user_id == other_owner.pk)
    assert {(view.name, view.last_sign_in) for view in (added, listed)} == {("", None)}
    assert (later.name, later.last_sign_in is None) == ("Ada", False)
