from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from lepton_platform.staff import jobs
from lepton_platform.staff.access import (
    get_next_page,
    get_staff_actor,
    lacks_second_factor,
    redirect_to_sign_in,
)
from lepton_platform.staff.dashboard import build_dashboard
from tenants.control.models import Tenant, User

_MAX_RESULTS = 8


class StaffSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """The admin over the directory. It registers no model of a data plane: staff never see tenant rows."""

    index_title = _("Dashboard")
    index_template = "staff/index.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_permission(request)) and not lacks_second_factor(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The platform has one sign-in; a second form here would let a password alone in."""
        return (
            redirect(get_next_page(request)) if self.has_permission(request) else redirect_to_sign_in(request)
        )

    def extra_urls(self) -> list[URLPattern]:
        return [
            path("jobs/", self.admin_view(self.list_jobs), name="jobs"),
            path(
                "jobs/<slug:region>/<uuid:tenant_id>/<uuid:job_id>/cancel/",
                self.admin_view(self.cancel_job),
                name="jobs_cancel",
            ),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        figures = build_dashboard(get_staff_actor(request))
        response: TemplateResponse = super().index(request, {**(extra_context or {}), "figures": figures})
        return response

    def list_jobs(self, request: HttpRequest) -> HttpResponse:
        return jobs.list_jobs(request, self.each_context(request))

    def cancel_job(self, request: HttpRequest, region: str, tenant_id: UUID, job_id: UUID) -> HttpResponse:
        return jobs.confirm_cancel(request, self.each_context(request), region, tenant_id, job_id)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Pages, tenants and users. Without unfold's cache, which stores objects that JSON cannot hold."""
        started = time.monotonic()
        term = request.GET.get("s", "").strip().lower()
        if not term:
            return HttpResponse()
        results = [*self._search_pages(request, term), *_search_tenants(term), *_search_users(term)]
        found = Paginator(results, len(results) or 1)
        context = {
            "page_obj": found,
            "results": found.page(1),
            "page_counter": 0,
            "execution_time": time.monotonic() - started,
        }
        return TemplateResponse(request, "unfold/helpers/command_results.html", context)

    def _search_pages(self, request: HttpRequest, term: str) -> list[SearchResult]:
        items = [item for group in self.get_sidebar_list(request) for item in group["items"]]
        return [
            SearchResult(
                title=str(item["title"]),
                description=str(_("Page")),
                link=str(item["link"]),
                icon=item["icon"],
            )
            for item in items
            if term in str(item["title"]).lower()
        ]


def _search_tenants(term: str) -> list[SearchResult]:
    rows = (Tenant.objects.filter(name__icontains=term) | Tenant.objects.filter(slug__icontains=term))[
        :_MAX_RESULTS
    ]
    return [
        SearchResult(row.name, row.slug, reverse("admin:control_tenant_change", args=[row.pk]), "apartment")
        for row in rows
    ]


def _search_users(term: str) -> list[SearchResult]:
    rows = User.objects.filter(email__icontains=term)[:_MAX_RESULTS]
    return [
        SearchResult(row.email, row.name, reverse("admin:control_user_change", args=[row.pk]), "person")
        for row in rows
    ]


site = StaffSite(name="admin")
