"""The admin site of the staff pages."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Q
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
    """The admin of the control database. No model of a data database is registered, so staff see no rows of tenants."""

    index_title = _("Dashboard")
    index_template = "staff/index.html"

    def has_permission(self, request: HttpRequest) -> bool:
        """Returns whether the user is staff and, if the setting requires it, signed in with a second factor."""
        return bool(super().has_permission(request)) and not lacks_second_factor(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Redirects to the platform's sign-in. The admin's own form would skip the second factor."""
        if self.has_permission(request):
            return redirect(get_next_page(request))
        return redirect_to_sign_in(request)

    def extra_urls(self) -> list[URLPattern]:
        """Returns the addresses of the jobs pages, which belong to no model of the admin."""
        return [
            path("jobs/", self.admin_view(self.list_jobs), name="jobs"),
            path(
                "jobs/<slug:region>/<uuid:tenant_id>/<uuid:job_id>/cancel/",
                self.admin_view(self.cancel_job),
                name="jobs_cancel",
            ),
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Shows the dashboard."""
        # Django's admin passes its own variables in extra_context.
        context = {**(extra_context or {}), "dashboard": build_dashboard(get_staff_actor(request))}
        response: TemplateResponse = super().index(request, context)
        return response

    def list_jobs(self, request: HttpRequest) -> HttpResponse:
        """Shows the jobs of a region."""
        return jobs.list_jobs(request, self.each_context(request))

    def cancel_job(self, request: HttpRequest, region: str, tenant_id: UUID, job_id: UUID) -> HttpResponse:
        """Cancels a job after a confirmation."""
        return jobs.confirm_cancel(request, self.each_context(request), region, tenant_id, job_id)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Searches pages, tenants and users by a part of their name.

        It replaces unfold's search, whose cache stores objects that this platform's JSON cache can't encode.
        """
        started = time.monotonic()
        term = request.GET.get("s", "").strip().lower()
        if not term:
            return HttpResponse()
        results = [*self._search_pages(request, term), *_search_tenants(term), *_search_users(term)]
        # unfold's template expects a page; this one has all results.
        paginator = Paginator(results, len(results) or 1)
        context = {
            "page_obj": paginator,
            "results": paginator.page(1),
            "page_counter": 0,
            "execution_time": time.monotonic() - started,
        }
        return TemplateResponse(request, "unfold/helpers/command_results.html", context)

    def _search_pages(self, request: HttpRequest, term: str) -> list[SearchResult]:
        results = []
        for group in self.get_sidebar_list(request):
            for item in group["items"]:
                title = str(item["title"])
                if term in title.lower():
                    results.append(
                        SearchResult(
                            title=title,
                            description=str(_("Page")),
                            link=str(item["link"]),
                            icon=item["icon"],
                        )
                    )
        return results


def _search_tenants(term: str) -> list[SearchResult]:
    matches = Tenant.objects.filter(Q(name__icontains=term) | Q(slug__icontains=term))
    results = []
    for tenant in matches[:_MAX_RESULTS]:
        link = reverse("admin:control_tenant_change", args=[tenant.pk])
        results.append(SearchResult(title=tenant.name, description=tenant.slug, link=link, icon="apartment"))
    return results


def _search_users(term: str) -> list[SearchResult]:
    results = []
    for user in User.objects.filter(email__icontains=term)[:_MAX_RESULTS]:
        link = reverse("admin:control_user_change", args=[user.pk])
        results.append(SearchResult(title=user.email, description=user.name, link=link, icon="person"))
    return results


site = StaffSite(name="admin")
