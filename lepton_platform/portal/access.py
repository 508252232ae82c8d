"""The only way from an address to a tenant's page: the signed-in user's own memberships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language

from lepton_platform.portal.messages import translate_error
from tenants.control.queries import list_memberships
from tenants.control.read_models import Membership, TenantView
from tenants.control.roles import REQUIRED_ROLES, MemberRole, has_permission
from tenants.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    KeyServiceUnavailable,
    NotFound,
    QuotaExceeded,
    RegionNotServed,
    StoreUnavailable,
    TenantSuspended,
    TooLarge,
)
from tenants.regions import TenantRef
from tenants.scope import Actor

P = ParamSpec("P")
_REFUSAL_ERRORS = (Conflict, Invalid, QuotaExceeded, TooLarge)
_OUTAGE_ERRORS = (KeyServiceUnavailable, RegionNotServed, StoreUnavailable)


@dataclass(frozen=True, slots=True)
class WorkspaceContext:
    """Who is on a page of which tenant."""

    tenant: TenantView
    role: MemberRole
    actor: Actor
    memberships: list[Membership]

    @property
    def tenant_ref(self) -> TenantRef:
        return self.tenant.ref

    @property
    def role_label(self) -> str:
        return str(self.role.label)

    @property
    def region_label(self) -> str:
        region = settings.LEPTON_REGIONS[self.tenant.region]
        chinese = (get_language() or "").startswith("zh")
        return f"{self.tenant.region.upper()} · {region.name_zh if chinese else region.name_en}"

    def has_permission(self, permission: str) -> bool:
        return has_permission(self.role, permission)


def member_required(
    permission: str, *, refused_url: str = ""
) -> Callable[
    [Callable[Concatenate[HttpRequest, WorkspaceContext, P], HttpResponse]], Callable[..., HttpResponse]
]:
    """A stranger gets the 404 of an absent tenant; a member whose role is too low gets 403.

    With `back`, a change that is refused says why and returns to that page.
    """
    needed = REQUIRED_ROLES[permission]

    def wrap_view(
        view: Callable[Concatenate[HttpRequest, WorkspaceContext, P], HttpResponse],
    ) -> Callable[..., HttpResponse]:
        @wraps(view)
        def view_wrapper(request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not request.user.is_authenticated:
                return _redirect_to_sign_in(request)
            try:
                here = enter_workspace(request, slug, needed)
                with timezone.override(ZoneInfo(here.tenant.time_zone)):
                    return view(request, here, *args, **kwargs)
            except _REFUSAL_ERRORS as error:
                if not refused_url:
                    raise
                messages.error(request, translate_error(error))
                return redirect(refused_url, slug)
            except DomainError as error:
                return _render_error(request, error)

        return view_wrapper

    return wrap_view


def enter_workspace(request: HttpRequest, slug: str, required_role: MemberRole) -> WorkspaceContext:
    """Raises NotFound, TenantSuspended, Forbidden."""
    user = request.user
    mine = list_memberships(user)  # type: ignore[arg-type]  # guarded() let only signed-in users through
    found = next((one for one in mine if one.tenant.slug == slug), None)
    if found is None:
        raise NotFound("There is no such tenant.")
    if found.tenant.status != "active":
        raise TenantSuspended
    if not found.role.includes(required_role):
        raise Forbidden
    active = [one for one in mine if one.tenant.status == "active"]
    return WorkspaceContext(found.tenant, found.role, Actor("user", str(user.pk)), active)


def _redirect_to_sign_in(request: HttpRequest) -> HttpResponse:
    """A fragment that polls after the session ended must not swap a sign-in page into a card."""
    response = redirect_to_login(request.get_full_path())
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Refresh": "true"})
    return response


def _render_error(request: HttpRequest, error: DomainError) -> HttpResponse:
    if isinstance(error, NotFound):
        raise Http404 from error
    if isinstance(error, Forbidden):
        raise PermissionDenied from error
    if isinstance(error, TenantSuspended):
        return render(request, "portal/suspended.html", status=403)
    if isinstance(error, _OUTAGE_ERRORS):
        response = render(request, "503.html", status=503)
        response["Retry-After"] = "5"
        return response
    raise error
