"""Access to workspaces. A tenant is found only through the memberships of the signed-in user."""

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
    """The tenant of the page and the role of the signed-in user in it."""

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
        name = region.name_en
        if (get_language() or "").startswith("zh"):
            name = region.name_zh
        return f"{self.tenant.region.upper()} · {name}"

    def has_permission(self, permission: str) -> bool:
        """Returns whether the user's role includes `permission`, e.g. `keys.write`."""
        return has_permission(self.role, permission)


def member_required(
    permission: str, *, refused_url: str = ""
) -> Callable[
    [Callable[Concatenate[HttpRequest, WorkspaceContext, P], HttpResponse]], Callable[..., HttpResponse]
]:
    """Decorates a view that gets the workspace of the slug in its URL.

    A user who is not a member gets the same 404 as for an absent tenant. A member without the permission gets 403.

    Args:
        permission: The permission that the user needs, e.g. `keys.write`.
        refused_url: URL name to which a refused change redirects, with the reason as a message. Without it the error is
            raised.
    """
    required_role = REQUIRED_ROLES[permission]

    def wrap_view(
        view: Callable[Concatenate[HttpRequest, WorkspaceContext, P], HttpResponse],
    ) -> Callable[..., HttpResponse]:
        @wraps(view)
        def view_wrapper(request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not request.user.is_authenticated:
                return _redirect_to_sign_in(request)
            try:
                workspace = enter_workspace(request, slug, required_role)
                with timezone.override(ZoneInfo(workspace.tenant.time_zone)):
                    return view(request, workspace, *args, **kwargs)
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
    """Returns the workspace of the signed-in user.

    Raises:
        NotFound: The user is not a member of the tenant, or it does not exist.
        TenantSuspended: The tenant is not active.
        Forbidden: The user's role is lower than `required_role`.
    """
    user = request.user
    memberships = list_memberships(user)  # type: ignore[arg-type]  # member_required lets only signed-in users through
    membership = _find_membership(memberships, slug)
    if membership.tenant.status != "active":
        raise TenantSuspended
    if not membership.role.includes(required_role):
        raise Forbidden
    return WorkspaceContext(
        tenant=membership.tenant,
        role=membership.role,
        actor=Actor("user", str(user.pk)),
        memberships=[membership for membership in memberships if membership.tenant.status == "active"],
    )


def _find_membership(memberships: list[Membership], slug: str) -> Membership:
    for membership in memberships:
        if membership.tenant.slug == slug:
            return membership
    raise NotFound("There is no such tenant.")


def _redirect_to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        # htmx would follow a redirect and insert the sign-in page into a part of the page; a reload redirects the page.
        return HttpResponse(headers={"HX-Refresh": "true"})
    return redirect_to_login(request.get_full_path())


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
