"""The jobs page: jobs of a region across tenants, with their progress but without parameters and outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
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

# The label of each job state and the colour variant of unfold's label component.
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
class FilterLink:
    """A link that shows the jobs of a region or of a state."""

    label: str
    href: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as the page shows it. `variant` is the colour of its state."""

    job: OpsJob
    tenant: str
    kind: str
    state: str
    variant: str
    is_open: bool


def list_jobs(request: HttpRequest, context: Mapping[str, Any]) -> HttpResponse:
    """Shows the jobs of a region, at most 200. `context` are the variables of every page of the site.

    Raises Http404 for a region that this installation does not serve.
    """
    # Without a choice the first served region is shown.
    region = request.GET.get("region") or next(iter(regions.list_served()))
    if region not in regions.list_served():
        raise Http404
    state = request.GET.get("state", "")
    if state not in STATES:
        state = ""
    rows = _load_rows(request, region, state)
    page = {
        "title": _("Jobs"),
        "region": region,
        "region_links": _build_region_links(region, state),
        "state_links": _build_state_links(region, state),
        "rows": rows or [],
        "is_available": rows is not None,
    }
    return render(request, "staff/jobs.html", {**context, **page})


def confirm_cancel(
    request: HttpRequest, context: Mapping[str, Any], region: str, tenant_id: UUID, job_id: UUID
) -> HttpResponse:
    """Shows a confirmation page on GET and cancels the job on POST.

    The job is cancelled in the tenant's scope, so that the tenant's audit log has an entry. Raises Http404 for an unknown
    job or a region that this installation does not serve.
    """
    if region not in regions.list_served():
        raise Http404
    jobs_url = _build_jobs_url(region)
    if request.method != "POST":
        page = {"title": _("Cancel this job?"), "job_id": job_id, "jobs_url": jobs_url}
        return render(request, "staff/job_cancel.html", {**context, **page})
    try:
        with scope(TenantRef(tenant_id, region), actor=get_staff_actor(request)) as s:
            cancel_job(s, job_id)
    except NotFound as error:
        raise Http404 from error
    except (Conflict, StoreUnavailable) as error:
        messages.error(request, _(error.detail))
    else:
        messages.success(request, _("The job was asked to stop."))
    return HttpResponseRedirect(jobs_url)


def _build_jobs_url(region: str, state: str = "") -> str:
    parameters = {"region": region}
    if state:
        parameters["state"] = state
    return f"{reverse('admin:jobs')}?{urlencode(parameters)}"


def _build_region_links(region: str, state: str) -> list[FilterLink]:
    """One link for each served region; the state stays selected."""
    links = []
    for code in regions.list_served():
        links.append(FilterLink(label=code, href=_build_jobs_url(code, state), is_current=code == region))
    return links


def _build_state_links(region: str, state: str) -> list[FilterLink]:
    """One link for all states and one for each state; the region stays selected."""
    links = [FilterLink(label=_("All"), href=_build_jobs_url(region), is_current=not state)]
    for name, (label, _variant) in STATES.items():
        href = _build_jobs_url(region, name)
        links.append(FilterLink(label=str(label), href=href, is_current=name == state))
    return links


def _load_rows(request: HttpRequest, region: str, state: str) -> list[JobRow] | None:
    """Returns the jobs in `state`, or in any state if that is empty. None if the region's database is unreachable."""
    tenants = {tenant.id: tenant for tenant in list_tenants(get_staff_actor(request))}
    try:
        with data_ops(region, "staff", actor=get_staff_actor(request), reason="jobs page") as s:
            jobs = list_jobs_across_tenants(s, limit=_MAX_SHOWN)
    except StoreUnavailable:
        return None
    rows = []
    for job in jobs:
        if state in ("", job.state):
            rows.append(_build_row(job, tenants))
    return rows


def _build_row(job: OpsJob, tenants: Mapping[UUID, TenantView]) -> JobRow:
    label, variant = STATES[job.state]
    # Jobs outlive the directory entry of an erased tenant.
    tenant = tenants.get(job.tenant_id)
    return JobRow(
        job=job,
        tenant=tenant.name if tenant else str(job.tenant_id),
        kind=str(KINDS.get(job.kind, job.kind)),
        state=str(label),
        variant=variant,
        is_open=job.state in {"queued", "running"},
    )
