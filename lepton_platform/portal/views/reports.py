"""The reports page and its CSV downloads."""

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
    """Shows the reports of a period."""
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
    """Returns the daily counts as CSV, or the model versions with `table=models`."""
    period = ReportPeriod.from_query(request.GET.get("days", ""))
    report = reports.load_report(workspace, period)
    if request.GET.get("table") == "models":
        name, table = "models", report.build_model_table()
    else:
        name, table = "days", report.build_day_table()
    file_name = f"{workspace.tenant.slug}-{name}-{period.start_date}-{period.end_date}"
    return build_csv_response(file_name, format_csv(table.header, table.rows))
