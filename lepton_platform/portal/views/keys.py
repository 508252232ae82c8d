"""The API keys page."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from lepton_platform.portal.access import WorkspaceContext, member_required
from lepton_platform.portal.form_errors import add_error_to_form
from lepton_platform.portal.forms import KeyForm, OverlapForm
from lepton_platform.portal.pages import render_page
from tenants.control.actions import create_api_key, revoke_api_key, rotate_api_key
from tenants.control.queries import list_api_keys
from tenants.control.read_models import NewApiKey
from tenants.errors import Forbidden, Invalid
from tenants.scope import control_scope


@never_cache
@require_http_methods(["GET", "POST"])
@member_required("keys.read", refused_url="portal:keys")
def show_keys(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Shows the keys. A POST creates a key and shows its secret, which is not stored."""
    form = KeyForm(request.POST or None)
    new_key = None
    if request.method == "POST" and form.is_valid():
        new_key = _create_key(workspace, form)
        if new_key:
            form = KeyForm()
    return _render_keys_page(request, workspace, form, new_key)


@never_cache
@require_POST
@member_required("keys.write", refused_url="portal:keys")
def rotate_key(request: HttpRequest, workspace: WorkspaceContext, key_id: str) -> HttpResponse:
    """Creates a successor of a key and shows its secret once."""
    form = OverlapForm(request.POST)
    # An invalid choice gets the default overlap instead of an error page: the key is to be replaced.
    hours = form.cleaned_data["hours"] if form.is_valid() else 24
    with control_scope(workspace.tenant.id, actor=workspace.actor) as s:
        new_key = rotate_api_key(s, key_id, overlap=timedelta(hours=hours))
    return _render_keys_page(request, workspace, KeyForm(), new_key)


@require_POST
@member_required("keys.write", refused_url="portal:keys")
def revoke_key(request: HttpRequest, workspace: WorkspaceContext, key_id: str) -> HttpResponse:
    """Revokes a key."""
    with control_scope(workspace.tenant.id, actor=workspace.actor) as s:
        key = revoke_api_key(s, key_id)
    messages.success(
        request, _("“%(name)s” is revoked; it stops working within seconds.") % {"name": key.name}
    )
    return redirect("portal:keys", workspace.tenant.slug)


def _create_key(workspace: WorkspaceContext, form: KeyForm) -> NewApiKey | None:
    """Returns the new key, or None if the action refuses it; the form then has the errors."""
    # The page may be read with a lower role than creating a key needs.
    if not workspace.has_permission("keys.write"):
        raise Forbidden
    try:
        with control_scope(workspace.tenant.id, actor=workspace.actor) as s:
            return create_api_key(
                s,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                expires_at=form.compute_expiry(),
                cidrs=form.parse_networks(),
            )
    except Invalid as error:
        add_error_to_form(form, error)
        return None


def _render_keys_page(
    request: HttpRequest, workspace: WorkspaceContext, form: KeyForm, new_key: NewApiKey | None
) -> HttpResponse:
    with control_scope(workspace.tenant.id, actor=workspace.actor) as s:
        api_keys = list_api_keys(s)
    return render_page(
        request,
        workspace,
        "portal/keys.html",
        title=_("API keys"),
        form=form,
        overlap=OverlapForm(),
        api_keys=api_keys,
        new_key=new_key,
        base_url=request.build_absolute_uri("/").rstrip("/"),
    )
