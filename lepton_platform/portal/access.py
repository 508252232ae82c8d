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

from lepton_platform.portal.wording import said
from tenants.control.queries import memberships
from tenants.control.results import Membership, TenantView
from tenants.control.roles import NEEDS, Role, allows
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
_REFUSALS = (Conflict, Invalid, QuotaExceeded, TooLarge)
_OUTAGES = (KeyServiceUnavailable, RegionNotServed, StoreUnavailable)


@dataclass(frozen=True, slots=True)
class Here:
    """Who is on a page of which tenant."""

    tenant: TenantView
    role: Role
    actor: Actor
    memberships: list[Membership]

    @property
    def ref(self) -> TenantRef:
        return self.tenant.ref

    @property
    def role_label(self) -> str:
        return str(self.role.label)

    @property
    def region_label(self) -> str:
        region = settings.LEPTON_REGIONS[self.tenant.region]
        chinese = (get_language() or "").startswith("zh")
        return f"{self.tenant.region.upper()} · {region.name_zh if chinese else region.name_en}"

    def may(self, permission: str) -> bool:
        return allows(self.role, permission)


def member_required(
    permission: str, *, back: str = ""
) -> Callable[[Callable[Concatenate[HttpRequest, Here, P], HttpResponse]], Callable[..., HttpResponse]]:
    """A stranger gets the 404 of an absent tenant; a member whose role is too low gets 403.

    With `back`, a change that is refused says why and returns to that page.
    """
    needed = NEEDS[permission]

    def decorate(
        view: Callable[Concatenate[HttpRequest, Here, P], HttpResponse],
    ) -> Callable[..., HttpResponse]:
        @wraps(view)
        def guarded(request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            try:
                here = enter(request, slug, needed)
                with timezone.override(ZoneInfo(here.tenant.time_zone)):
                    return view(request, here, *args, **kwargs)
            except _REFUSALS as error:
                if not back:
                    raise
                messages.error(request, said(error))
                return redirect(back, slug)
            except DomainError as error:
                return _problem(request, error)

        return guarded

    return decorate


def enter(request: HttpRequest, slug: str, needed: Role) -> Here:
    """Raises NotFound, TenantSuspended, Forbidden."""
    user = request.user
    mine = memberships(user)  # type: ignore[arg-type]  # guarded() let only signed-in users through
    found = next((one for one in mine if one.tenant.slug == slug), None)
    if found is None:
        raise NotFound("There is no such tenant.")
    if found.tenant.status != "active":
        raise TenantSuspended
    if not found.role.includes(needed):
        raise Forbidden
    active = [one for one in mine if one.tenant.status == "active"]
    return Here(found.tenant, found.role, Actor("user", str(user.pk)), active)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """A fragment that polls after the session ended must not swap a sign-in page into a card."""
    response = redirect_to_login(request.get_full_path())
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Refresh": "true"})
    return response


def _problem(request: HttpRequest, error: DomainError) -> HttpResponse:
    if isinstance(error, NotFound):
        raise Http404 from error
    if isinstance(error, Forbidden):
        raise PermissionDenied from error
    if isinstance(error, TenantSuspended):
        return render(request, "portal/suspended.html", status=403)
    if isinstance(error, _OUTAGES):
        response = render(request, "503.html", status=503)
        response["Retry-After"] = "5"
        return response
    raise error
