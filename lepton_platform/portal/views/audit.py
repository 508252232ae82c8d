from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from lepton_platform.portal.access import WorkspaceContext, member_required
from lepton_platform.portal.pages import render_page
from tenants.control.queries import list_audit_entries, list_members
from tenants.control.read_models import AuditView
from tenants.data.queries import audit_log
from tenants.scope import control_scope, scope

MAX_ENTRIES = 100


@require_GET
@member_required("audit.read")
def show_audit_log(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """The newest lines of both planes together."""
    with control_scope(workspace.tenant.id, actor=workspace.actor) as control:
        directory = list_audit_entries(control, limit=MAX_ENTRIES)
        people = {str(member.user_id): member.email for member in list_members(control)}
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        data = audit_log.list_entries(s, limit=MAX_ENTRIES)
    entries: list[AuditView | audit_log.DataAuditView] = [*directory, *data]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    return render_page(
        request,
        workspace,
        "portal/audit.html",
        title=_("Audit log"),
        entries=entries[:MAX_ENTRIES],
        people=people,
    )
