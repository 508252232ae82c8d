"""Jobs of a region across tenants: leases and progress, no parameters and no outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from lepton_platform.staff.access import staff_actor
from lepton_platform.staff.figures import directory
from tenants import regions
from tenants.control.results import TenantView
from tenants.data.actions.jobs import cancel_job
from tenants.data.queries.jobs import OpsJob, across_tenants
from tenants.errors import Conflict, NotFound, StoreUnavailable
from tenants.regions import TenantRef
from tenants.scope import data_ops, scope

STATES: Mapping[str, tuple[Any, str]] = {
    "queued": (pgettext_lazy("job state", "Queued"), "default"),
    "running": (pgettext_lazy("job state", "Running"), "info"),
    "succeeded": (pgettext_lazy("job state", "Succeeded"), "success"),
    "failed": (pgettext_lazy("job state", "Failed"), "danger"),
    "cancelled": (pgettext_lazy("job state", "Cancelled"), "warning"),
}
KINDS: Mapping[str, Any] = {"train": gettext_lazy("Training"), "merge": gettext_lazy("Merging")}
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class JobRow:
    job: OpsJob
    tenant: str
    kind: str
    state: str
    variant: str
    is_open: bool


def listing(request: HttpRequest, context: Mapping[str, Any]) -> HttpResponse:
    """`context` is what every page of the site shows."""
    region = request.GET.get("region") or next(iter(regions.served()))
    if region not in regions.served():
        raise Http404
    state = request.GET.get("state", "")
    rows, answers = _rows(request, region, state if state in STATES else "")
    shown = {
        "title": _("Jobs"),
        "regions": regions.served(),
        "region": region,
        "states": {name: label for name, (label, _variant) in STATES.items()},
        "state": state,
        "rows": rows,
        "answers": answers,
    }
    return render(request, "staff/jobs.html", {**context, **shown})


def cancel(
    request: HttpRequest, context: Mapping[str, Any], region: str, tenant_id: UUID, job_id: UUID
) -> HttpResponse:
    """Asks on GET, cancels on POST, in the tenant's own scope, so that its audit log says who did it."""
    if region not in regions.served():
        raise Http404
    back = f"{reverse('admin:jobs')}?region={region}"
    if request.method != "POST":
        shown = {"title": _("Cancel this job?"), "job_id": job_id, "back": back}
        return render(request, "staff/job_cancel.html", {**context, **shown})
    try:
        with scope(TenantRef(tenant_id, region), actor=staff_actor(request)) as s:
            cancel_job(s, job_id)
    except NotFound as error:
        raise Http404 from error
    except (Conflict, StoreUnavailable) as error:
        messages.error(request, _(error.detail))
    else:
        messages.success(request, _("The job was asked to stop."))
    return HttpResponseRedirect(back)


def _rows(request: HttpRequest, region: str, state: str) -> tuple[list[JobRow], bool]:
    names = {tenant.id: tenant for tenant in directory(staff_actor(request))}
    try:
        with data_ops(region, "staff", actor=staff_actor(request), reason="jobs page") as s:
            found = across_tenants(s, limit=_SHOWN)
    except StoreUnavailable:
        return [], False
    return [_row(job, names) for job in found if not state or job.state == state], True


def _row(job: OpsJob, tenants: Mapping[UUID, TenantView]) -> JobRow:
    label, variant = STATES[job.state]
    tenant = tenants.get(job.tenant_id)
    return JobRow(
        job=job,
        tenant=tenant.name if tenant else str(job.tenant_id),
        kind=str(KINDS.get(job.kind, job.kind)),
        state=str(label),
        variant=variant,
        is_open=job.state in {"queued", "running"},
    )
