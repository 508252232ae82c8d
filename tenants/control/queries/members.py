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
    """Every tenant the user belongs to, suspended ones too, by name. Opens the user's own scope."""
    with user_scope(user.id, actor=Actor("user", str(user.id))):
        rows = Member.objects.filter(user_id=user.id).select_related("tenant").order_by("tenant__name")
        return [Membership(to_tenant_view(row.tenant), user.id, MemberRole(row.role)) for row in rows]


def get_membership_by_slug(
    user: User, slug: str, min_role: MemberRole | str = MemberRole.VIEWER
) -> Membership:
    """The only way from an address to a tenant. Opens the user's own scope.

    Raises NotFound for a stranger as for an absent tenant, TenantSuspended unless it is active, Forbidden for
    a member below `min_role`.
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
    """Owners first, then by e-mail."""
    rows = Member.objects.filter(tenant_id=s.tenant_id).select_related("user")
    found = [to_member_view(row) for row in rows]
    return sorted(found, key=lambda member: (-member.role.rank, member.email))


def get_role(s: Scope, user_id: UUID) -> MemberRole | None:
    """The user's role in the scope's tenant; None for a stranger."""
    row = Member.objects.filter(tenant_id=s.tenant_id, user_id=user_id).first()
    return MemberRole(row.role) if row else None
