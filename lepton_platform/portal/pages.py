"""Rendering of full portal pages: the content of a page inside the shell (sidebar, top bar, command palette)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from lepton_platform.portal.access import WorkspaceContext
from lepton_platform.portal.navigation import build_navigation
from lepton_platform.portal.presenters.onboarding import load_onboarding

# Names that templates use in `permissions.<name>`, because a permission's own name contains a dot.
_PERMISSIONS = {
    "train": "models.write",
    "edit": "catalogue.write",
    "keys": "keys.write",
    "members": "members.write",
    "privacy": "privacy.write",
    "preview": "preview.read",
    "reports": "reports.read",
}


def render_page(
    request: HttpRequest,
    workspace: WorkspaceContext,
    template: str,
    *,
    title: str,
    status: int = 200,
    **context: object,
) -> HttpResponse:
    """Renders a full page. `context` holds the variables of the page's own template."""
    onboarding = load_onboarding(workspace)
    permissions = {}
    for name, permission in _PERMISSIONS.items():
        permissions[name] = workspace.has_permission(permission)
    match = request.resolver_match
    section = _extract_section(match.url_name if match else "")
    shell = {
        "workspace": workspace,
        "page_title": title,
        "permissions": permissions,
        "onboarding": onboarding,
        "navigation": build_navigation(workspace, section, onboarding.running_jobs),
    }
    return render(request, template, {**shell, **context}, status=status)


def _extract_section(url_name: str | None) -> str:
    """Returns the section of a page: `catalogue_item` belongs to `catalogue`."""
    return (url_name or "").partition("_")[0]
