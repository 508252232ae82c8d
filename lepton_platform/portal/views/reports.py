from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from lepton_platform.portal.access import WorkspaceContext, member_required
from lepton_platform.portal.pages import render_page
from lepton_platform.portal.presenters import reports
from lepton_platform.portal.presenters.statistics import PERIOD_DAYS, ReportPeriod
from lepton_platform.portal.tables import build_csv_response, format_csv


@require_GET
@member_required("reports.read")
def show_reports(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    period = ReportPeriod.from_query(request.GET.get("days", ""))
    report = reports.load_report(workspace, period)
    return render_page(
        request,
        workspace,
        "portal/reports.html",
        title=_("Reports"),
        report=report,
        period=period,
        periods=PERIOD_DAYS,
    )


@require_GET
@member_required("reports.read")
def export_report(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """The daily counts, or the model history with `table=models`."""
    period = ReportPeriod.from_query(request.GET.get("days", ""))
    report = reports.load_report(workspace, period)
    which = "models" if request.GET.get("table") == "models" else "days"
    header, rows = report.build_model_table() if which == "models" else report.build_day_table()
    return build_csv_response(
        f"{workspace.tenant.slug}-{which}-{period.start_date}-{period.end_date}", format_csv(header, rows)
    )
