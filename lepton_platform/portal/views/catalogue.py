from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from lepton_platform.portal.access import Here, member_required
from lepton_platform.portal.pages import render_page
from tenants.data.actions import catalog as change
from tenants.data.queries import catalog, images
from tenants.scope import scope

PAGE = 24
JUMPS = 6


@require_GET
@member_required("catalogue.read")
def catalogue(request: HttpRequest, here: Here) -> HttpResponse:
    search, after = request.GET.get("q", "").strip(), request.GET.get("after", "")
    retired = request.GET.get("show") == "all"
    with scope(here.ref, actor=here.actor) as s:
        found, following = catalog.items_page(
            s, after=int(after) if after.isdecimal() else 0, limit=PAGE, search=search, live_only=not retired
        )
        live, total = catalog.counts(s)
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
        return render(request, "portal/catalogue_items.html", {"here": here, **page})
    page["undo"] = request.GET.get("undo", "")
    return render_page(request, here, "portal/catalogue.html", title=_("Catalogue"), **page)


@require_GET
@member_required("catalogue.read")
def item(request: HttpRequest, here: Here) -> HttpResponse:
    with scope(here.ref, actor=here.actor) as s:
        found = catalog.item(s, request.GET.get("id", ""))
    title = found.item.title or found.item.id
    return render_page(request, here, "portal/item.html", title=title, found=found)


@require_GET
@member_required("catalogue.read")
def image(request: HttpRequest, here: Here) -> HttpResponse:
    with scope(here.ref, actor=here.actor) as s:
        content, content_type = images.image(s, request.GET.get("id", ""))
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type=content_type, headers=headers)


@require_GET
@member_required("catalogue.read")
def jump(request: HttpRequest, here: Here) -> HttpResponse:
    """Items for the command palette; nothing for less than two characters."""
    search = request.GET.get("q", "").strip()
    if len(search) < 2:
        return HttpResponse("")
    with scope(here.ref, actor=here.actor) as s:
        found, _following = catalog.items_page(s, limit=JUMPS, search=search)
    return render(request, "portal/jump.html", {"here": here, "found": found})


@require_POST
@member_required("catalogue.write", back="portal:catalogue")
def retire(request: HttpRequest, here: Here) -> HttpResponse:
    item_id = request.POST.get("id", "")
    with scope(here.ref, actor=here.actor) as s:
        change.retire_item(s, item_id)
    return redirect(f"{reverse('portal:catalogue', args=[here.tenant.slug])}?{urlencode({'undo': item_id})}")


@require_POST
@member_required("catalogue.write", back="portal:catalogue")
def restore(request: HttpRequest, here: Here) -> HttpResponse:
    item_id = request.POST.get("id", "")
    with scope(here.ref, actor=here.actor) as s:
        change.restore_item(s, item_id)
    messages.success(request, _("The item is back and can be recommended."))
    return redirect(
        f"{reverse('portal:catalogue_item', args=[here.tenant.slug])}?{urlencode({'id': item_id})}"
    )
