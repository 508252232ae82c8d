from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from tenants import audit
from tenants.control.actions.rights import require
from tenants.control.actions.users import new_user, save_new
from tenants.control.fields import normal_email
from tenants.control.models import Member, User
from tenants.control.plans import plan
from tenants.control.queries import tenant
from tenants.control.queries.rows import member_view
from tenants.control.results import MemberView
from tenants.control.roles import Role
from tenants.errors import Conflict, NotFound, QuotaExceeded
from tenants.scope import Scope


def add_member(s: Scope, user: User, role: Role | str) -> MemberView:
    """Raises Forbidden, Conflict for someone who belongs already, QuotaExceeded."""
    require(s, "members.write")
    _require_room(s)
    member = Member(tenant_id=s.tenant_id, user=user, role=Role(role))
    try:
        with transaction.atomic():
            member.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("This person is a member already.") from error
    audit.record(s, "member.added", str(user.id), role=member.role)
    return member_view(member)


def invite_member(
    s: Scope, *, email: str, role: Role | str, name: str = "", language: str = "en"
) -> MemberView:
    """Adds the account of this address; one without a password is made when there is none.

    The answer does not tell whether the account is new. Raises like `add_member`, and Invalid.
    """
    require(s, "members.write")
    user = User.objects.filter(email=normal_email(email)).first()
    if user is None:
        user = new_user(email=email, name=name, language=language, password=None, is_staff=False)
        save_new(user)
        audit.record(s, "user.created", str(user.id), staff=False)
    return add_member(s, user, role)


def change_role(s: Scope, user_id: UUID, role: Role | str) -> MemberView:
    """Raises Forbidden, NotFound, Conflict for the last owner."""
    require(s, "members.write")
    member, owners = _locked(s, user_id)
    before = member.role
    if Role(role) is not Role.OWNER:
        _keep_an_owner(member, owners)
    member.role = Role(role)
    member.save(update_fields=["role"])
    audit.record(s, "member.role_changed", str(user_id), before=before, after=member.role)
    return member_view(member)


def remove_member(s: Scope, user_id: UUID) -> None:
    """Raises Forbidden, NotFound, Conflict for the last owner."""
    require(s, "members.write")
    member, owners = _locked(s, user_id)
    _keep_an_owner(member, owners)
    member.delete()
    audit.record(s, "member.removed", str(user_id), role=member.role)


def _locked(s: Scope, user_id: UUID) -> tuple[Member, list[Member]]:
    """The member and all owners, locked by one statement in one order, so that two owners who remove each other
    at the same time queue instead of waiting for one another.
    """
    concerned = Q(role=Role.OWNER) | Q(user_id=user_id)
    rows = list(Member.objects.filter(concerned, tenant_id=s.tenant_id).order_by("id").select_for_update())
    member = next((row for row in rows if row.user_id == user_id), None)
    if member is None:
        raise NotFound("There is no such member.")
    return member, [row for row in rows if row.role == Role.OWNER]


def _keep_an_owner(member: Member, owners: list[Member]) -> None:
    if [owner.id for owner in owners] == [member.id]:
        raise Conflict("A tenant keeps at least one owner.")


def _require_room(s: Scope) -> None:
    limit = plan(tenant(s).plan).members
    if Member.objects.filter(tenant_id=s.tenant_id).count() >= limit:
        raise QuotaExceeded(f"The plan allows {limit} members.")
