"""The catalogue pages, and the item search of the command palette."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from lepton_platform.portal.access import WorkspaceContext, member_required
from lepton_platform.portal.pages import render_page
from tenants.data.actions import catalog as change
from tenants.data.queries import catalog, images
from tenants.scope import scope

PAGE_SIZE = 24
MAX_PALETTE_ITEMS = 6


@require_GET
@member_required("catalogue.read")
def show_catalogue(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Shows a page of items; an htmx request gets the list without the rest of the page."""
    search = request.GET.get("q", "").strip()
    after = request.GET.get("after", "")
    show_retired = request.GET.get("show") == "all"
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        rows, next_after = catalog.list_items(
            s,
            after=int(after) if after.isdecimal() else 0,
            limit=PAGE_SIZE,
            search=search,
            live_only=not show_retired,
        )
        live, total = catalog.count_items(s)
    page: dict[str, Any] = {
        "rows": rows,
        "next_after": next_after,
        "search": search,
        "view": "table" if request.GET.get("view") == "table" else "grid",
        "show_retired": show_retired,
        "after": after,
        "live": live,
        "total": total,
    }
    if request.headers.get("HX-Request"):
        return render(request, "portal/catalogue_items.html", {"workspace": workspace, **page})
    page["retired_id"] = request.GET.get("retired", "")
    return render_page(request, workspace, "portal/catalogue.html", title=_("Catalogue"), **page)


@require_GET
@member_required("catalogue.read")
def show_item(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Shows one item. Its id is a query parameter, because it may contain slashes."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        row = catalog.get_item(s, request.GET.get("id", ""))
    title = row.item.title or row.item.id
    return render_page(request, workspace, "portal/item.html", title=title, row=row)


@require_GET
@member_required("catalogue.read")
def serve_image(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Returns the stored image of an item."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        content, content_type = images.get_image(s, request.GET.get("id", ""))
    # Images were uploaded by clients of the API: a browser must not guess another content type.
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type=content_type, headers=headers)


@require_GET
@member_required("catalogue.read")
def search_items(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Returns items for the command palette; an empty fragment for less than two characters."""
    search = request.GET.get("q", "").strip()
    if len(search) < 2:
        return HttpResponse("")
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        rows, _next_after = catalog.list_items(s, limit=MAX_PALETTE_ITEMS, search=search)
    return render(request, "portal/search_results.html", {"workspace": workspace, "rows": rows})


@require_POST
@member_required("catalogue.write", refused_url="portal:catalogue")
def retire_item(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Retires an item and returns to the catalogue, which offers to undo it."""
    item_id = request.POST.get("id", "")
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        change.retire_item(s, item_id)
    catalogue_url = reverse("portal:catalogue", args=[workspace.tenant.slug])
    return redirect(f"{catalogue_url}?{urlencode({'retired': item_id})}")


@require_POST
@member_required("catalogue.write", refused_url="portal:catalogue")
def restore_item(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Restores a retired item and shows it."""
    item_id = request.POST.get("id", "")
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        change.restore_item(s, item_id)
    messages.success(request, _("The item is restored and can be recommended."))
    item_url = reverse("portal:catalogue_item", args=[workspace.tenant.slug])
    return redirect(f"{item_url}?{urlencode({'id': item_id})}")
