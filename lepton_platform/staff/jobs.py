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

from lepton_platform.staff.access import get_staff_actor
from lepton_platform.staff.figures import list_tenants
from tenants import regions
from tenants.control.read_models import TenantView
from tenants.data.actions.jobs import cancel_job
from tenants.data.queries.jobs import OpsJob, list_jobs_across_tenants
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
_MAX_SHOWN = 200


@dataclass(frozen=True, slots=True)
class JobRow:
    job: OpsJob
    tenant: str
    kind: str
    state: str
    variant: str
    is_open: bool


def list_jobs(request: HttpRequest, context: Mapping[str, Any]) -> HttpResponse:
    """`context` is what every page of the site shows."""
    region = request.GET.get("region") or next(iter(regions.list_served()))
    if region not in regions.list_served():
        raise Http404
    state = request.GET.get("state", "")
    rows, answers = _load_rows(request, region, state if state in STATES else "")
    shown = {
        "title": _("Jobs"),
        "regions": regions.list_served(),
        "region": region,
        "states": {name: label for name, (label, _variant) in STATES.items()},
        "state": state,
        "rows": rows,
        "answers": answers,
    }
    return render(request, "staff/jobs.html", {**context, **shown})


def confirm_cancel(
    request: HttpRequest, context: Mapping[str, Any], region: str, tenant_id: UUID, job_id: UUID
) -> HttpResponse:
    """Asks on GET, cancels on POST, in the tenant's own scope, so that its audit log says who did it."""
    if region not in regions.list_served():
        raise Http404
    back = f"{reverse('admin:jobs')}?region={region}"
    if request.method != "POST":
        shown = {"title": _("Cancel this job?"), "job_id": job_id, "back": back}
        return render(request, "staff/job_cancel.html", {**context, **shown})
    try:
        with scope(TenantRef(tenant_id, region), actor=get_staff_actor(request)) as s:
            cancel_job(s, job_id)
    except NotFound as error:
        raise Http404 from error
    except (Conflict, StoreUnavailable) as error:
        messages.error(request, _(error.detail))
    else:
        messages.success(request, _("The job was asked to stop."))
    return HttpResponseRedirect(back)


def _load_rows(request: HttpRequest, region: str, state: str) -> tuple[list[JobRow], bool]:
    names = {tenant.id: tenant for tenant in list_tenants(get_staff_actor(request))}
    try:
        with data_ops(region, "staff", actor=get_staff_actor(request), reason="jobs page") as s:
            found = list_jobs_across_tenants(s, limit=_MAX_SHOWN)
    except StoreUnavailable:
        return [], False
    return [_build_row(job, names) for job in found if not state or job.state == state], True


def _build_row(job: OpsJob, tenants: Mapping[UUID, TenantView]) -> JobRow:
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
