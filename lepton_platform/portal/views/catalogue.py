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
    search, after = request.GET.get("q", "").strip(), request.GET.get("after", "")
    retired = request.GET.get("show") == "all"
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        found, following = catalog.list_items(
            s,
            after=int(after) if after.isdecimal() else 0,
            limit=PAGE_SIZE,
            search=search,
            live_only=not retired,
        )
        live, total = catalog.count_items(s)
    page: dict[str, Any] = {
        "found": found,
        "following": following,
        "search": search,
        "view": "table" if request.GET.get("view") == "table" else "grid",
        "retired": retired,
        "after": after,
        "live": live,
        "total": total,
    }
    if request.headers.get("HX-Request"):
        return render(request, "portal/catalogue_items.html", {"here": workspace, **page})
    page["undo"] = request.GET.get("undo", "")
    return render_page(request, workspace, "portal/catalogue.html", title=_("Catalogue"), **page)


@require_GET
@member_required("catalogue.read")
def show_item(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        found = catalog.get_item(s, request.GET.get("id", ""))
    title = found.item.title or found.item.id
    return render_page(request, workspace, "portal/item.html", title=title, found=found)


@require_GET
@member_required("catalogue.read")
def serve_image(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        content, content_type = images.get_image(s, request.GET.get("id", ""))
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type=content_type, headers=headers)


@require_GET
@member_required("catalogue.read")
def search_items(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Items for the command palette; nothing for less than two characters."""
    search = request.GET.get("q", "").strip()
    if len(search) < 2:
        return HttpResponse("")
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        found, _following = catalog.list_items(s, limit=MAX_PALETTE_ITEMS, search=search)
    return render(request, "portal/jump.html", {"here": workspace, "found": found})


@require_POST
@member_required("catalogue.write", refused_url="portal:catalogue")
def retire_item(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    item_id = request.POST.get("id", "")
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        change.retire_item(s, item_id)
    return redirect(
        f"{reverse('portal:catalogue', args=[workspace.tenant.slug])}?{urlencode({'undo': item_id})}"
    )


@require_POST
@member_required("catalogue.write", refused_url="portal:catalogue")
def restore_item(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    item_id = request.POST.get("id", "")
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        change.restore_item(s, item_id)
    messages.success(request, _("The item is back and can be recommended."))
    return redirect(
        f"{reverse('portal:catalogue_item', args=[workspace.tenant.slug])}?{urlencode({'id': item_id})}"
    )
