from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from tenants import audit
from tenants.control.actions.permission_checks import require_permission
from tenants.control.actions.users import build_user, insert_user
from tenants.control.fields import normalize_email
from tenants.control.models import Member, User
from tenants.control.plans import get_plan
from tenants.control.queries import get_tenant
from tenants.control.queries.mappers import to_member_view
from tenants.control.read_models import MemberView
from tenants.control.roles import MemberRole
from tenants.errors import Conflict, NotFound, QuotaExceeded
from tenants.scope import Scope


def add_member(s: Scope, user: User, role: MemberRole | str) -> MemberView:
    """Adds a user to the tenant. Raises Forbidden, Conflict for a member, QuotaExceeded."""
    require_permission(s, "members.write")
    _require_member_quota(s)
    member = Member(
        tenant_id=s.tenant_id,
        user=user,
        role=MemberRole(role),
    )
    try:
        # A savepoint, so that the scope's transaction survives the violated unique constraint.
        with transaction.atomic():
            member.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("This person is a member already.") from error
    audit.record_entry(s, "member.added", str(user.id), role=member.role)
    return to_member_view(member)


def invite_member(
    s: Scope,
    *,
    email: str,
    role: MemberRole | str,
    name: str = "",
    language: str = "en",
) -> MemberView:
    """Adds the account of an e-mail address; creates one without a password if there is none.

    The result does not reveal whether the account existed. Raises as `add_member`, and Invalid.
    """
    require_permission(s, "members.write")
    user = User.objects.filter(email=normalize_email(email)).first()
    if user is None:
        user = build_user(
            email=email,
            name=name,
            language=language,
            password=None,
            is_staff=False,
        )
        insert_user(user)
        audit.record_entry(s, "user.created", str(user.id), staff=False)
    return add_member(s, user, role)


def change_role(s: Scope, user_id: UUID, role: MemberRole | str) -> MemberView:
    """Sets a member's role. Raises Forbidden, NotFound, Conflict for the last owner."""
    require_permission(s, "members.write")
    member, owners = _lock_member(s, user_id)
    before = member.role
    if MemberRole(role) is not MemberRole.OWNER:
        _require_other_owner(member, owners)
    member.role = MemberRole(role)
    member.save(update_fields=["role"])
    audit.record_entry(
        s,
        "member.role_changed",
        str(user_id),
        before=before,
        after=member.role,
    )
    return to_member_view(member)


def remove_member(s: Scope, user_id: UUID) -> None:
    """Removes a member; the account remains. Raises Forbidden, NotFound, Conflict for the last owner."""
    require_permission(s, "members.write")
    member, owners = _lock_member(s, user_id)
    _require_other_owner(member, owners)
    member.delete()
    audit.record_entry(s, "member.removed", str(user_id), role=member.role)


def _lock_member(s: Scope, user_id: UUID) -> tuple[Member, list[Member]]:
    """Locks and returns the member and all owners. Raises NotFound."""
    owner_or_member = Q(role=MemberRole.OWNER) | Q(user_id=user_id)
    # One statement and a fixed order: two owners who remove each other at the same time do not deadlock.
    rows = list(
        Member.objects.filter(owner_or_member, tenant_id=s.tenant_id).order_by("id").select_for_update()
    )
    owners = [row for row in rows if row.role == MemberRole.OWNER]
    for row in rows:
        if row.user_id == user_id:
            return row, owners
    raise NotFound("There is no such member.")


def _require_other_owner(member: Member, owners: list[Member]) -> None:
    if [owner.id for owner in owners] == [member.id]:
        raise Conflict("A tenant keeps at least one owner.")


def _require_member_quota(s: Scope) -> None:
    limit = get_plan(get_tenant(s).plan).members
    if Member.objects.filter(tenant_id=s.tenant_id).count() >= limit:
        raise QuotaExceeded(f"The plan allows {limit} members.")
