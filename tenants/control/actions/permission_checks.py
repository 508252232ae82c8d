"""Permission checks inside actions: a second check in case a view omits its own."""

from __future__ import annotations

from uuid import UUID

from tenants.control.queries import get_role
from tenants.control.roles import REQUIRED_ROLES, has_permission
from tenants.errors import Forbidden
from tenants.scope import Scope


def require_permission(s: Scope, permission: str) -> None:
    """Raises Forbidden if the actor is a user whose role in this tenant does not include `permission`.

    Other actors pass: the API checks the scopes of keys, and staff and system actors have their own pages and tasks.
    """
    if s.actor.kind != "user":
        return
    role = get_role(s, UUID(s.actor.id))
    if role is None or not has_permission(role, permission):
        raise Forbidden(f"This needs the role {REQUIRED_ROLES[permission].value} or higher.")


def require_staff(s: Scope) -> None:
    """Raises Forbidden unless the actor is platform staff or the system."""
    if s.actor.kind not in {"staff", "system"}:
        raise Forbidden("This is for platform staff.")
