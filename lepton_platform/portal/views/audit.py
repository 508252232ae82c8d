from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from lepton_platform.portal.access import Here, member_required
from lepton_platform.portal.pages import render_page
from tenants.control.queries import audit_page, members
from tenants.scope import control_scope

PAGE = 50


@require_GET
@member_required("audit.read")
def audit(request: HttpRequest, here: Here) -> HttpResponse:
    with control_scope(here.tenant.id, actor=here.actor) as s:
        entries = audit_page(s, after=request.GET.get("after"), limit=PAGE)
        people = {str(member.user_id): member.email for member in members(s)}
    following = entries[-1].id if len(entries) == PAGE else None
    return render_page(
        request,
        here,
        "portal/audit.html",
        title=_("Audit log"),
        entries=entries,
        people=people,
        following=following,
        after=request.GET.get("after"),
    )
