from __future__ import annotations

from uuid import UUID

from tenants.control.models import Member, User
from tenants.control.models.tenant import Status
from tenants.control.queries.rows import member_view, tenant_view
from tenants.control.results import Membership, MemberView
from tenants.control.roles import Role
from tenants.errors import Forbidden, NotFound, TenantSuspended
from tenants.scope import Actor, Scope, user_scope


def memberships(user: User) -> list[Membership]:
    """Every tenant the user belongs to, suspended ones too, by name. Opens the user's own scope."""
    with user_scope(user.id, actor=Actor("user", str(user.id))):
        rows = Member.objects.filter(user_id=user.id).select_related("tenant").order_by("tenant__name")
        return [Membership(tenant_view(row.tenant), user.id, Role(row.role)) for row in rows]


def tenant_by_slug_for(user: User, slug: str, min_role: Role | str = Role.VIEWER) -> Membership:
    """The only way from an address to a tenant. Opens the user's own scope.

    Raises NotFound for a stranger as for an absent tenant, TenantSuspended unless it is active, Forbidden for
    a member below `min_role`.
    """
    with user_scope(user.id, actor=Actor("user", str(user.id))):
        row = Member.objects.filter(user_id=user.id, tenant__slug=slug).select_related("tenant").first()
    if row is None or not user.is_active:
        raise NotFound("There is no such tenant.")
    if row.tenant.status != Status.ACTIVE:
        raise TenantSuspended
    if not Role(row.role).includes(Role(min_role)):
        raise Forbidden(f"This needs the role {Role(min_role).value} or higher.")
    return Membership(tenant_view(row.tenant), user.id, Role(row.role))


def members(s: Scope) -> list[MemberView]:
    """Owners first, then by e-mail."""
    rows = Member.objects.filter(tenant_id=s.tenant_id).select_related("user")
    found = [member_view(row) for row in rows]
    return sorted(found, key=lambda member: (-member.role.rank, member.email))


def role_of(s: Scope, user_id: UUID) -> Role | None:
    """The user's role in the scope's tenant; None for a stranger."""
    row = Member.objects.filter(tenant_id=s.tenant_id, user_id=user_id).first()
    return Role(row.role) if row else None
