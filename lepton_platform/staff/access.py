"""Access to the staff pages, and the actor that staff's actions are recorded under."""

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
    """Returns whether the signed-in user is an active member of staff."""
    user = request.user
    return bool(user.is_authenticated and user.is_active and user.is_staff)


def lacks_second_factor(request: HttpRequest) -> bool:
    """Returns whether the setting requires two-step sign-in and this session was signed in without it."""
    if not settings.LEPTON_STAFF_NEEDS_MFA:
        return False
    # allauth records each sign-in method of the session.
    records = get_authentication_records(request, request.user)
    return not any(record.get("method") == "mfa" for record in records)


def get_next_page(request: HttpRequest) -> str:
    """Returns the address in the query parameter `next`, or the dashboard if that is on another host."""
    page = request.GET.get("next", "")
    # An unchecked redirect target could lead from the sign-in page to a forged one.
    if url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure()):
        return page
    return reverse("admin:index")


def redirect_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Redirects a user who may not see a staff page yet: to sign-in, to the second factor, or to its set-up.

    Raises PermissionDenied for a signed-in user who is not staff.
    """
    if not request.user.is_authenticated:
        return redirect_to_login(get_next_page(request))
    if not is_staff(request):
        raise PermissionDenied
    if is_mfa_enabled(request.user):
        return redirect_to_login(get_next_page(request), reverse("mfa_reauthenticate"))
    messages.warning(request, _("Staff pages need two-step sign-in: set it up here, then sign in again."))
    return redirect("mfa_index")


def get_staff_actor(request: HttpRequest) -> Actor:
    """Returns the actor that audit entries of this request name."""
    return Actor("staff", str(request.user.pk))
