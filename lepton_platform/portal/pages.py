from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from lepton_platform.portal.access import WorkspaceContext
from lepton_platform.portal.navigation import build_navigation
from lepton_platform.portal.presenters.onboarding import load_onboarding

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
    """A full page in the shell: sidebar, top bar, palette."""
    match = request.resolver_match
    setup = load_onboarding(workspace)
    shell = {
        "here": workspace,
        "page_title": title,
        "may": {name: workspace.has_permission(permission) for name, permission in _PERMISSIONS.items()},
        "setup": setup,
        "navigation": build_navigation(
            workspace, _extract_section(match.url_name if match else ""), setup.running_jobs
        ),
    }
    return render(request, template, {**shell, **context}, status=status)


def _extract_section(route: str | None) -> str:
    """`catalogue_item` belongs to `catalogue`."""
    return (route or "").partition("_")[0]
