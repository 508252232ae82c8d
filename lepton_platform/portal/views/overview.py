"""The overview page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from lepton_platform.portal.access import WorkspaceContext, member_required
from lepton_platform.portal.pages import render_page
from lepton_platform.portal.presenters import overview
from lepton_platform.portal.presenters.statistics import PERIOD_DAYS, ReportPeriod


@require_GET
@member_required("overview.read")
def show_overview(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Shows the overview of a workspace."""
    period = ReportPeriod.from_query(request.GET.get("days", ""))
    return render_page(
        request,
        workspace,
        "portal/overview.html",
        title=_("Overview"),
        dashboard=overview.load_dashboard(workspace, period),
        period=period,
        periods=PERIOD_DAYS,
    )
