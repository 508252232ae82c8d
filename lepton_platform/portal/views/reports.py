from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from lepton_platform.portal import reporting
from lepton_platform.portal.access import Here, member_required
from lepton_platform.portal.figures import PERIODS, Period
from lepton_platform.portal.pages import render_page
from lepton_platform.portal.tables import as_text, csv_response


@require_GET
@member_required("reports.read")
def reports(request: HttpRequest, here: Here) -> HttpResponse:
    period = Period.of(request.GET.get("days", ""))
    report = reporting.read(here, period)
    return render_page(
        request,
        here,
        "portal/reports.html",
        title=_("Reports"),
        report=report,
        period=period,
        periods=PERIODS,
    )


@require_GET
@member_required("reports.read")
def as_csv(request: HttpRequest, here: Here) -> HttpResponse:
    """The daily counts, or the model history with `table=models`."""
    period = Period.of(request.GET.get("days", ""))
    report = reporting.read(here, period)
    which = "models" if request.GET.get("table") == "models" else "days"
    header, rows = report.model_table() if which == "models" else report.day_table()
    return csv_response(f"{here.tenant.slug}-{which}-{period.since}-{period.until}", as_text(header, rows))
