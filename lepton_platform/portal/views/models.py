from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from lepton_platform.portal.access import Here, member_required
from lepton_platform.portal.pages import render_page
from lepton_platform.portal.quality import history, quality
from lepton_platform.portal.runs import run
from lepton_platform.portal.served import searches, served
from lepton_platform.tasks.tuning import allowed
from recommender.registry import actions as change
from recommender.registry import queries as registry
from tenants.data.actions.jobs import cancel_job, request_job
from tenants.data.queries import jobs
from tenants.scope import scope

RUNS = 10


@require_GET
@member_required("models.read")
def models(request: HttpRequest, here: Here) -> HttpResponse:
    with scope(here.ref, actor=here.actor) as s:
        versions = registry.versions(s)
        target = registry.roll_back_target(s)
        found, _more = jobs.jobs_page(s, limit=RUNS, kind="train")
    return render_page(
        request,
        here,
        "portal/models.html",
        title=_("Models & training"),
        qualities=[quality(version) for version in versions],
        runs=[run(job) for job in found],
        target=target,
        chart=history(versions),
    )


@require_GET
@member_required("models.read")
def version(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    with scope(here.ref, actor=here.actor) as s:
        found = registry.version(s, number)
    title = _("Model %(name)s") % {"name": found.name}
    return render_page(
        request,
        here,
        "portal/model.html",
        title=title,
        quality=quality(found),
        served=served(found.metrics),
        searches=searches(found.metrics),
    )


@require_GET
@member_required("models.read")
def progress(request: HttpRequest, here: Here, job_id: UUID) -> HttpResponse:
    """One row that asks again every two seconds until its job is over."""
    with scope(here.ref, actor=here.actor) as s:
        found = jobs.job(s, job_id)
    context = {"here": here, "run": run(found), "may": {"train": here.may("models.write")}, "refresh": True}
    return render(request, "portal/run.html", context)


@require_POST
@member_required("models.write", back="portal:models")
def train(request: HttpRequest, here: Here) -> HttpResponse:
    parameters: dict[str, Any] = {"profile": "fast"}
    if request.POST.get("tune"):
        parameters |= allowed(here.tenant.plan)
    with scope(here.ref, actor=here.actor) as s:
        job = request_job(s, "train", parameters=parameters)
    running = job.state == "running"
    text = _("A training runs already; here it is.") if running else _("The training is queued.")
    messages.success(request, text)
    return redirect("portal:models", here.tenant.slug)


@require_POST
@member_required("models.write", back="portal:models")
def cancel(request: HttpRequest, here: Here, job_id: UUID) -> HttpResponse:
    with scope(here.ref, actor=here.actor) as s:
        cancel_job(s, job_id)
    messages.success(request, _("The training stops at its next step."))
    return redirect("portal:models", here.tenant.slug)


@require_POST
@member_required("models.write", back="portal:models")
def promote(request: HttpRequest, here: Here, number: int) -> HttpResponse:
    expected = request.POST.get("expected", "")
    with scope(here.ref, actor=here.actor) as s:
        promoted = change.promote(s, number, expected=int(expected) if expected.isdecimal() else None)
    messages.success(request, _("%(name)s serves now.") % {"name": promoted.name})
    return redirect("portal:models", here.tenant.slug)


@require_POST
@member_required("models.write", back="portal:models")
def roll_back(request: HttpRequest, here: Here) -> HttpResponse:
    expected = request.POST.get("expected", "")
    with scope(here.ref, actor=here.actor) as s:
        back = change.roll_back(s, expected=int(expected) if expected.isdecimal() else None)
    messages.success(request, _("%(name)s serves again.") % {"name": back.name})
    return redirect("portal:models", here.tenant.slug)
