"""The links of the sidebar."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from lepton_platform.portal.access import WorkspaceContext


@dataclass(frozen=True, slots=True)
class NavigationLink:
    """A link to a section. `count` is shown as a badge if it is not zero."""

    name: str
    label: str
    icon: str
    href: str
    is_current: bool
    count: int = 0


@dataclass(frozen=True, slots=True)
class NavigationGroup:
    label: str
    links: list[NavigationLink]


def build_navigation(
    workspace: WorkspaceContext, current_route: str, running_jobs: int
) -> list[NavigationGroup]:
    """Returns the sections that the user's role may open, in the order of the sidebar.

    Args:
        workspace: The workspace of the page.
        current_route: The URL name of the page's section.
        running_jobs: Number of queued and running jobs, shown at the models section.
    """

    def build_links(
        name: str, label: str, icon: str, permission: str, count: int = 0
    ) -> list[NavigationLink]:
        # A list of one or no link: callers unpack it into their group.
        if not workspace.has_permission(permission):
            return []
        link = NavigationLink(
            name=name,
            label=label,
            icon=icon,
            href=reverse(f"portal:{name}", args=[workspace.tenant.slug]),
            is_current=name == current_route,
            count=count,
        )
        return [link]

    return [
        # Groups are kept even without links; the template shows their headings.
        NavigationGroup(
            _("Workspace"),
            [
                *build_links("overview", _("Overview"), "layout-dashboard", "overview.read"),
                *build_links("catalogue", _("Catalogue"), "package", "catalogue.read"),
            ],
        ),
        NavigationGroup(
            _("Recommendations"),
            [
                *build_links("models", _("Models & training"), "brain-circuit", "models.read", running_jobs),
                *build_links("preview", _("Preview"), "sparkles", "preview.read"),
                *build_links("reports", _("Reports"), "chart-line", "reports.read"),
            ],
        ),
        NavigationGroup(
            pgettext("group of pages", "Settings"),
            [
                *build_links("privacy", _("Privacy"), "shield-check", "privacy.read"),
                *build_links("keys", _("API keys"), "key-round", "keys.read"),
                *build_links("members", _("Members"), "users", "members.read"),
                *build_links("audit", _("Audit log"), "scroll-text", "audit.read"),
            ],
        ),
    ]
