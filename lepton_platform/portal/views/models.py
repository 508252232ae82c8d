from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from lepton_platform.portal.access import WorkspaceContext, member_required
from lepton_platform.portal.pages import render_page
from lepton_platform.portal.presenters.model_quality import build_quality_chart, present_quality
from lepton_platform.portal.presenters.model_size import present_quantization, present_tuning
from lepton_platform.portal.presenters.training_runs import present_run
from lepton_platform.tasks.tuning_limits import limit_tuning_parameters
from recommender.registry import actions as change
from recommender.registry import queries as registry
from tenants.data.actions.jobs import cancel_job, request_job
from tenants.data.queries import jobs
from tenants.scope import scope

MAX_RUNS = 10


@require_GET
@member_required("models.read")
def show_models(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        versions = registry.list_versions(s)
        target = registry.find_roll_back_target(s)
        found, _more = jobs.list_jobs(s, limit=MAX_RUNS, kind="train")
    return render_page(
        request,
        workspace,
        "portal/models.html",
        title=_("Models & training"),
        qualities=[present_quality(version) for version in versions],
        runs=[present_run(job) for job in found],
        target=target,
        chart=build_quality_chart(versions),
    )


@require_GET
@member_required("models.read")
def show_version(request: HttpRequest, workspace: WorkspaceContext, number: int) -> HttpResponse:
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        found = registry.get_version(s, number)
    title = _("Model %(name)s") % {"name": found.name}
    return render_page(
        request,
        workspace,
        "portal/model.html",
        title=title,
        quality=present_quality(found),
        served=present_quantization(found.metrics),
        searches=present_tuning(found.metrics),
    )


@require_GET
@member_required("models.read")
def show_job_progress(request: HttpRequest, workspace: WorkspaceContext, job_id: UUID) -> HttpResponse:
    """One row that asks again every two seconds until its job is over."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        found = jobs.get_job(s, job_id)
    context = {
        "here": workspace,
        "run": present_run(found),
        "may": {"train": workspace.has_permission("models.write")},
        "refresh": True,
    }
    return render(request, "portal/run.html", context)


@require_POST
@member_required("models.write", refused_url="portal:models")
def train_model(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    parameters: dict[str, Any] = {"profile": "fast"}
    if request.POST.get("tune"):
        parameters |= limit_tuning_parameters(workspace.tenant.plan)
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        job = request_job(s, "train", parameters=parameters)
    running = job.state == "running"
    text = _("A training runs already; here it is.") if running else _("The training is queued.")
    messages.success(request, text)
    return redirect("portal:models", workspace.tenant.slug)


@require_POST
@member_required("models.write", refused_url="portal:models")
def cancel_training(request: HttpRequest, workspace: WorkspaceContext, job_id: UUID) -> HttpResponse:
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        cancel_job(s, job_id)
    messages.success(request, _("The training stops at its next step."))
    return redirect("portal:models", workspace.tenant.slug)


@require_POST
@member_required("models.write", refused_url="portal:models")
def promote_version(request: HttpRequest, workspace: WorkspaceContext, number: int) -> HttpResponse:
    expected = request.POST.get("expected", "")
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        promoted = change.promote(s, number, expected=int(expected) if expected.isdecimal() else None)
    messages.success(request, _("%(name)s serves now.") % {"name": promoted.name})
    return redirect("portal:models", workspace.tenant.slug)


@require_POST
@member_required("models.write", refused_url="portal:models")
def roll_back(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    expected = request.POST.get("expected", "")
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        back = change.roll_back(s, expected=int(expected) if expected.isdecimal() else None)
    messages.success(request, _("%(name)s serves again.") % {"name": back.name})
    return redirect("portal:models", workspace.tenant.slug)
