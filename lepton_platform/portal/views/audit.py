from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from lepton_platform.portal.access import Here, member_required
from lepton_platform.portal.pages import render_page
from tenants.control.queries import audit_page, members
from tenants.control.results import AuditView
from tenants.data.queries import audit_log
from tenants.scope import control_scope, scope

LINES = 100


@require_GET
@member_required("audit.read")
def audit(request: HttpRequest, here: Here) -> HttpResponse:
    """The newest lines of both planes together."""
    with control_scope(here.tenant.id, actor=here.actor) as control:
        directory = audit_page(control, limit=LINES)
        people = {str(member.user_id): member.email for member in members(control)}
    with scope(here.ref, actor=here.actor) as s:
        data = audit_log.entries(s, limit=LINES)
    entries: list[AuditView | audit_log.AuditView] = [*directory, *data]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    return render_page(
        request, here, "portal/audit.html", title=_("Audit log"), entries=entries[:LINES], people=people
    )
