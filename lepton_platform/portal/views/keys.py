from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from lepton_platform.portal.access import Here, member_required
from lepton_platform.portal.form_errors import place
from lepton_platform.portal.forms import KeyForm, OverlapForm
from lepton_platform.portal.pages import render_page
from tenants.control.actions import create_api_key, revoke_api_key, rotate_api_key
from tenants.control.queries import api_keys
from tenants.control.results import NewApiKey
from tenants.errors import Forbidden, Invalid
from tenants.scope import control_scope


@never_cache
@require_http_methods(["GET", "POST"])
@member_required("keys.read", back="portal:keys")
def keys(request: HttpRequest, here: Here) -> HttpResponse:
    """The list; a POST creates a key and shows its secret this once."""
    form = KeyForm(request.POST or None)
    made = _created(here, form) if request.method == "POST" and form.is_valid() else None
    return _page(request, here, KeyForm() if made else form, made)


@never_cache
@require_POST
@member_required("keys.write", back="portal:keys")
def rotate(request: HttpRequest, here: Here, key_id: str) -> HttpResponse:
    form = OverlapForm(request.POST)
    hours = form.cleaned_data["hours"] if form.is_valid() else 24
    with control_scope(here.tenant.id, actor=here.actor) as s:
        made = rotate_api_key(s, key_id, overlap=timedelta(hours=hours))
    return _page(request, here, KeyForm(), made)


@require_POST
@member_required("keys.write", back="portal:keys")
def revoke(request: HttpRequest, here: Here, key_id: str) -> HttpResponse:
    with control_scope(here.tenant.id, actor=here.actor) as s:
        key = revoke_api_key(s, key_id)
    messages.success(
        request, _("“%(name)s” is revoked; it stops working within seconds.") % {"name": key.name}
    )
    return redirect("portal:keys", here.tenant.slug)


def _created(here: Here, form: KeyForm) -> NewApiKey | None:
    """None when the action refuses; the reasons then stand at the form's fields."""
    if not here.may("keys.write"):
        raise Forbidden
    try:
        with control_scope(here.tenant.id, actor=here.actor) as s:
            return create_api_key(
                s,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                expires_at=form.expires_at(),
                cidrs=form.networks(),
            )
    except Invalid as error:
        place(form, error)
        return None


def _page(request: HttpRequest, here: Here, form: KeyForm, made: NewApiKey | None) -> HttpResponse:
    with control_scope(here.tenant.id, actor=here.actor) as s:
        found = api_keys(s)
    return render_page(
        request,
        here,
        "portal/keys.html",
        title=_("API keys"),
        form=form,
        overlap=OverlapForm(),
        found=found,
        made=made,
        base_url=request.build_absolute_uri("/").rstrip("/"),
    )
