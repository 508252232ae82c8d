"""Who may open the staff pages, and under what name they act."""

from __future__ import annotations

from allauth.account.authentication import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from tenants.scope import Actor


def is_staff(request: HttpRequest) -> bool:
    user = request.user
    return bool(user.is_authenticated and user.is_active and user.is_staff)


def lacks_second_factor(request: HttpRequest) -> bool:
    """True while staff must have signed in with a second factor and this session has not."""
    if not settings.LEPTON_STAFF_NEEDS_MFA:
        return False
    records = get_authentication_records(request, request.user)
    return not any(record.get("method") == "mfa" for record in records)


def get_next_page(request: HttpRequest) -> str:
    """Where `next` points, when that is a page of this platform; else the dashboard."""
    page = request.GET.get("next", "")
    here = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return page if here else reverse("admin:index")


def redirect_to_sign_in(request: HttpRequest) -> HttpResponse:
    """The way in for whoever may not see a staff page. Raises PermissionDenied for a signed-in non-member of staff."""
    if not request.user.is_authenticated:
        return redirect_to_login(get_next_page(request))
    if not is_staff(request):
        raise PermissionDenied
    if is_mfa_enabled(request.user):
        return redirect_to_login(get_next_page(request), reverse("mfa_reauthenticate"))
    messages.warning(request, _("Staff pages need two-step sign-in: set it up here, then sign in again."))
    return redirect("mfa_index")


def get_staff_actor(request: HttpRequest) -> Actor:
    return Actor("staff", str(request.user.pk))
