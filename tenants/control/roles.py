"""Who may do what in a tenant. A role includes everything below it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    EDITOR = "editor", _("Editor")
    ANALYST = "analyst", _("Analyst")
    VIEWER = "viewer", _("Viewer")

    @property
    def rank(self) -> int:
        """Larger may do more."""
        return _ASCENDING.index(self)

    def includes(self, other: Role) -> bool:
        return self.rank >= other.rank


_ASCENDING = (Role.VIEWER, Role.ANALYST, Role.EDITOR, Role.OWNER)

NEEDS: Mapping[str, Role] = MappingProxyType(
    {
        "overview.read": Role.VIEWER,
        "catalogue.read": Role.VIEWER,
        "models.read": Role.VIEWER,
        "preview.read": Role.VIEWER,
        "privacy.read": Role.VIEWER,
        "members.read": Role.ANALYST,
        "reports.read": Role.ANALYST,
        "catalogue.write": Role.EDITOR,
        "models.write": Role.EDITOR,
        "jobs.write": Role.EDITOR,
        "keys.read": Role.EDITOR,
        "keys.write": Role.OWNER,
        "members.write": Role.OWNER,
        "privacy.write": Role.OWNER,
        "audit.read": Role.OWNER,
    }
)


def allows(role: Role, permission: str) -> bool:
    """Raises KeyError for a permission that nobody has defined."""
    return role.includes(NEEDS[permission])
