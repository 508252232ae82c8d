"""The privacy settings page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from lepton_platform.portal.access import WorkspaceContext, member_required
from lepton_platform.portal.form_errors import add_error_to_form
from lepton_platform.portal.forms import PrivacyForm
from lepton_platform.portal.pages import render_page
from tenants.data.actions.tenant_settings import update_privacy
from tenants.data.presets import PRIVACY_PRESETS
from tenants.data.queries import tenant_state
from tenants.errors import Forbidden, Invalid
from tenants.scope import scope


@require_http_methods(["GET", "POST"])
@member_required("privacy.read", refused_url="portal:privacy")
def show_privacy(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Shows the privacy settings. A POST changes them."""
    form = PrivacyForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _update_settings(workspace, form):
        messages.success(request, _("The privacy settings are saved."))
        return redirect("portal:privacy", workspace.tenant.slug)
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        state = tenant_state.get_state(s)
    return render_page(
        request,
        workspace,
        "portal/privacy.html",
        title=_("Privacy"),
        form=form if form.is_bound else PrivacyForm.from_settings(state.privacy),
        state=state,
        vertical_defaults=PRIVACY_PRESETS[state.vertical],
    )


def _update_settings(workspace: WorkspaceContext, form: PrivacyForm) -> bool:
    """Returns False if the action refuses; the form then has the errors."""
    # The page may be read with a lower role than changing the settings needs.
    if not workspace.has_permission("privacy.write"):
        raise Forbidden
    try:
        with scope(workspace.tenant_ref, actor=workspace.actor) as s:
            update_privacy(s, form.to_settings())
    except Invalid as error:
        add_error_to_form(form, error)
        return False
    return True
