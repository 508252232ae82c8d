from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from lepton_platform.portal.access import Here


@dataclass(frozen=True, slots=True)
class Link:
    name: str
    label: str
    icon: str
    href: str
    current: bool
    count: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    links: list[Link]


def navigation(here: Here, current: str, running: int) -> list[Group]:
    """What this role may open, in the order of the sidebar; `current` is the name of the page's route."""

    def link(name: str, label: str, icon: str, permission: str, count: int = 0) -> list[Link]:
        if not here.may(permission):
            return []
        href = reverse(f"portal:{name}", args=[here.tenant.slug])
        return [Link(name, label, icon, href, name == current, count)]

    return [
        Group(
            _("Workspace"),
            [
                *link("overview", _("Overview"), "layout-dashboard", "overview.read"),
                *link("catalogue", _("Catalogue"), "package", "catalogue.read"),
            ],
        ),
        Group(
            _("Recommendations"),
            [
                *link("models", _("Models & training"), "brain-circuit", "models.read", running),
                *link("preview", _("Preview"), "sparkles", "preview.read"),
                *link("reports", _("Reports"), "chart-line", "reports.read"),
            ],
        ),
        Group(
            pgettext("group of pages", "Settings"),
            [
                *link("privacy", _("Privacy"), "shield-check", "privacy.read"),
                *link("keys", _("API keys"), "key-round", "keys.read"),
                *link("members", _("Members"), "users", "members.read"),
                *link("audit", _("Audit log"), "scroll-text", "audit.read"),
            ],
        ),
    ]
