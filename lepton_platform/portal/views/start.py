"""The start page and redirects."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from tenants.control.queries import list_memberships


@require_GET
@login_required
def show_home(request: HttpRequest) -> HttpResponse:
    """Redirects to the first active workspace, or staff without one to the staff pages."""
    memberships = list_memberships(request.user)  # type: ignore[arg-type]  # login_required
    for membership in memberships:
        if membership.tenant.status == "active":
            return redirect("portal:overview", membership.tenant.slug)
    if request.user.is_staff:
        return redirect("/staff/")
    return render(request, "portal/no_workspace.html")


@require_GET
def redirect_to_overview(_request: HttpRequest, slug: str) -> HttpResponse:
    """Redirects a workspace's address to its overview."""
    return redirect("portal:overview", slug)


def raise_not_found(_request: HttpRequest) -> HttpResponse:
    """Answers the addresses of allauth that this platform does not offer."""
    raise Http404
