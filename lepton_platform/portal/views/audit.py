"""The audit log page."""

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
    """Shows the newest entries of both databases in one list."""
    with control_scope(workspace.tenant.id, actor=workspace.actor) as control:
        control_entries = list_audit_entries(control, limit=MAX_ENTRIES)
        members = list_members(control)
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        data_entries = audit_log.list_entries(s, limit=MAX_ENTRIES)
    # The newest entries overall are among the newest of each database.
    entries: list[AuditView | audit_log.DataAuditView] = [*control_entries, *data_entries]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    return render_page(
        request,
        workspace,
        "portal/audit.html",
        title=_("Audit log"),
        entries=entries[:MAX_ENTRIES],
        member_emails={str(member.user_id): member.email for member in members},
    )
