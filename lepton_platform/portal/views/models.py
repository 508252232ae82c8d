"""The pages of models and training runs."""

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
    """Shows the versions and the latest training runs."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        versions = registry.list_versions(s)
        roll_back_target = registry.find_roll_back_target(s)
        train_jobs, _has_more = jobs.list_jobs(s, limit=MAX_RUNS, kind="train")
    return render_page(
        request,
        workspace,
        "portal/models.html",
        title=_("Models & training"),
        qualities=[present_quality(version) for version in versions],
        runs=[present_run(job) for job in train_jobs],
        roll_back_target=roll_back_target,
        # Forms send it back, so that a change made on an outdated page is refused.
        active_number=next((version.version for version in versions if version.is_active), None),
        chart=build_quality_chart(versions),
    )


@require_GET
@member_required("models.read")
def show_version(request: HttpRequest, workspace: WorkspaceContext, number: int) -> HttpResponse:
    """Shows the quality, monitoring and tuning results of one version."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        version = registry.get_version(s, number)
    return render_page(
        request,
        workspace,
        "portal/model.html",
        title=_("Model %(name)s") % {"name": version.name},
        quality=present_quality(version),
        quantization=present_quantization(version.metrics),
        tuning_results=present_tuning(version.metrics),
    )


@require_GET
@member_required("models.read")
def show_job_progress(request: HttpRequest, workspace: WorkspaceContext, job_id: UUID) -> HttpResponse:
    """Returns one row of the runs table, which requests itself every two seconds until the job has finished."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        job = jobs.get_job(s, job_id)
    context = {
        "workspace": workspace,
        "run": present_run(job),
        "permissions": {"train": workspace.has_permission("models.write")},
    }
    return render(request, "portal/run.html", context)


@require_POST
@member_required("models.write", refused_url="portal:models")
def train_model(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Queues a training, or shows the one that is queued or running."""
    # The full profile takes much longer; it can be requested by API.
    parameters: dict[str, Any] = {"profile": "fast"}
    if request.POST.get("tune"):
        parameters |= limit_tuning_parameters(workspace.tenant.plan)
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        # At most one training per tenant is open; the action returns it if there is one.
        job = request_job(s, "train", parameters=parameters)
    if job.state == "running":
        messages.success(request, _("A training is running already."))
    else:
        messages.success(request, _("The training is queued."))
    return redirect("portal:models", workspace.tenant.slug)


@require_POST
@member_required("models.write", refused_url="portal:models")
def cancel_training(request: HttpRequest, workspace: WorkspaceContext, job_id: UUID) -> HttpResponse:
    """Requests that a training stops."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        cancel_job(s, job_id)
    messages.success(request, _("The training stops at its next step."))
    return redirect("portal:models", workspace.tenant.slug)


@require_POST
@member_required("models.write", refused_url="portal:models")
def promote_version(request: HttpRequest, workspace: WorkspaceContext, number: int) -> HttpResponse:
    """Activates a version. Refused if another version became active since the page was loaded."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        version = change.promote(s, number, expected=_parse_expected_version(request))
    messages.success(request, _("%(name)s is active now.") % {"name": version.name})
    return redirect("portal:models", workspace.tenant.slug)


@require_POST
@member_required("models.write", refused_url="portal:models")
def roll_back(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Activates the previous version. Refused if another version became active since the page was loaded."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        version = change.roll_back(s, expected=_parse_expected_version(request))
    messages.success(request, _("%(name)s is active again.") % {"name": version.name})
    return redirect("portal:models", workspace.tenant.slug)


def _parse_expected_version(request: HttpRequest) -> int | None:
    text = request.POST.get("expected", "")
    return int(text) if text.isdecimal() else None
