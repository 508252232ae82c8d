from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from lepton_platform.portal.access import Here
from lepton_platform.portal.navigation import navigation
from lepton_platform.portal.setup import progress

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
    request: HttpRequest, here: Here, template: str, *, title: str, status: int = 200, **context: object
) -> HttpResponse:
    """A full page in the shell: sidebar, top bar, palette."""
    match = request.resolver_match
    setup = progress(here)
    shell = {
        "here": here,
        "page_title": title,
        "may": {name: here.may(permission) for name, permission in _PERMISSIONS.items()},
        "setup": setup,
        "navigation": navigation(here, _section(match.url_name if match else ""), setup.running),
    }
    return render(request, template, {**shell, **context}, status=status)


def _section(route: str | None) -> str:
    """`catalogue_item` belongs to `catalogue`."""
    return (route or "").partition("_")[0]
