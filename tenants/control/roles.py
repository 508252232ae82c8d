"""Roles of members and the permissions they include. A role includes all permissions of lower roles."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.db import models
from django.utils.translation import gettext_lazy as _


class MemberRole(models.TextChoices):
    """The role of a member."""

    OWNER = "owner", _("Owner")
    EDITOR = "editor", _("Editor")
    ANALYST = "analyst", _("Analyst")
    VIEWER = "viewer", _("Viewer")

    @property
    def rank(self) -> int:
        """Position in the order of roles; 0 is the lowest."""
        return _ROLES_ASCENDING.index(self)

    def includes(self, other: MemberRole) -> bool:
        """Returns whether this role has all permissions of `other`."""
        return self.rank >= other.rank


_ROLES_ASCENDING = (MemberRole.VIEWER, MemberRole.ANALYST, MemberRole.EDITOR, MemberRole.OWNER)

# Permission -> lowest role that has it.
REQUIRED_ROLES: Mapping[str, MemberRole] = MappingProxyType(
    {
        "overview.read": MemberRole.VIEWER,
        "catalogue.read": MemberRole.VIEWER,
        "models.read": MemberRole.VIEWER,
        "preview.read": MemberRole.VIEWER,
        "privacy.read": MemberRole.VIEWER,
        "members.read": MemberRole.ANALYST,
        "reports.read": MemberRole.ANALYST,
        "catalogue.write": MemberRole.EDITOR,
        "models.write": MemberRole.EDITOR,
        "jobs.write": MemberRole.EDITOR,
        "keys.read": MemberRole.EDITOR,
        "keys.write": MemberRole.OWNER,
        "members.write": MemberRole.OWNER,
        "privacy.write": MemberRole.OWNER,
        "audit.read": MemberRole.OWNER,
    }
)


def has_permission(role: MemberRole, permission: str) -> bool:
    """Returns whether `role` includes `permission`. Raises KeyError for an undefined permission."""
    return role.includes(REQUIRED_ROLES[permission])
