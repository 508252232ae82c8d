from __future__ import annotations

from uuid import UUID

from tenants.control.models import Member, User
from tenants.control.models.tenant import TenantStatus
from tenants.control.queries.mappers import to_member_view, to_tenant_view
from tenants.control.read_models import Membership, MemberView
from tenants.control.roles import MemberRole
from tenants.errors import Forbidden, NotFound, TenantSuspended
from tenants.scope import Actor, Scope, user_scope


def list_memberships(user: User) -> list[Membership]:
    """Returns the user's tenants, suspended ones included, ordered by name. Opens a user scope."""
    with user_scope(user.id, actor=Actor("user", str(user.id))):
        rows = Member.objects.filter(user_id=user.id).select_related("tenant").order_by("tenant__name")
        return [Membership(to_tenant_view(row.tenant), user.id, MemberRole(row.role)) for row in rows]


def get_membership_by_slug(
    user: User, slug: str, min_role: MemberRole | str = MemberRole.VIEWER
) -> Membership:
    """Returns the user's membership of the tenant with this slug. Opens a user scope.

    This is the only look-up of a tenant by slug for users, so a URL never opens a tenant without a membership.

    Raises:
        NotFound: No such tenant, or the user is not a member or not active.
        TenantSuspended: The tenant is not active.
        Forbidden: The member's role is below `min_role`.
    """
    with user_scope(user.id, actor=Actor("user", str(user.id))):
        row = Member.objects.filter(user_id=user.id, tenant__slug=slug).select_related("tenant").first()
    if row is None or not user.is_active:
        raise NotFound("There is no such tenant.")
    if row.tenant.status != TenantStatus.ACTIVE:
        raise TenantSuspended
    if not MemberRole(row.role).includes(MemberRole(min_role)):
        raise Forbidden(f"This needs the role {MemberRole(min_role).value} or higher.")
    return Membership(to_tenant_view(row.tenant), user.id, MemberRole(row.role))


def list_members(s: Scope) -> list[MemberView]:
    """Returns the members, highest role first, then by e-mail."""
    rows = Member.objects.filter(tenant_id=s.tenant_id).select_related("user")
    members = [to_member_view(row) for row in rows]
    return sorted(members, key=lambda member: (-member.role.rank, member.email))


def get_role(s: Scope, user_id: UUID) -> MemberRole | None:
    """Returns the user's role in the scope's tenant; None if the user is not a member."""
    row = Member.objects.filter(tenant_id=s.tenant_id, user_id=user_id).first()
    return MemberRole(row.role) if row else None
