from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from lepton_platform.portal import dashboard
from lepton_platform.portal.access import Here, member_required
from lepton_platform.portal.figures import PERIODS, Period
from lepton_platform.portal.pages import render_page


@require_GET
@member_required("overview.read")
def overview(request: HttpRequest, here: Here) -> HttpResponse:
    period = Period.of(request.GET.get("days", ""))
    return render_page(
        request,
        here,
        "portal/overview.html",
        title=_("Overview"),
        dashboard=dashboard.read(here, period),
        period=period,
        periods=PERIODS,
    )
