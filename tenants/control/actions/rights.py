"""The second look at a role: a view has checked it already, and a view can forget."""

from __future__ import annotations

from uuid import UUID

from tenants.control.queries import role_of
from tenants.control.roles import NEEDS, allows
from tenants.errors import Forbidden
from tenants.scope import Scope


def require(s: Scope, permission: str) -> None:
    """Raises Forbidden when a user acts whose role in this tenant does not include `permission`.

    Keys are held to their scopes by the API, staff and the system to their own pages and tasks.
    """
    if s.actor.kind != "user":
        return
    role = role_of(s, UUID(s.actor.id))
    if role is None or not allows(role, permission):
        raise Forbidden(f"This needs the role {NEEDS[permission].value} or higher.")


def require_staff(s: Scope) -> None:
    """Raises Forbidden for a client's people and keys."""
    if s.actor.kind not in {"staff", "system"}:
        raise Forbidden("This is for platform staff.")
