from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from tenants.control.queries import list_memberships


@require_GET
@login_required
def show_home(request: HttpRequest) -> HttpResponse:
    """The first active workspace; staff without one go to their own pages."""
    active = [one for one in list_memberships(request.user) if one.tenant.status == "active"]  # type: ignore[arg-type]  # login_required
    if active:
        return redirect("portal:overview", active[0].tenant.slug)
    if request.user.is_staff:
        return redirect("/staff/")
    return render(request, "portal/no_workspace.html")


@require_GET
def redirect_to_overview(_request: HttpRequest, slug: str) -> HttpResponse:
    return redirect("portal:overview", slug)


def raise_not_found(_request: HttpRequest) -> HttpResponse:
    raise Http404
