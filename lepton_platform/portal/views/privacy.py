from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from lepton_platform.portal.access import Here, member_required
from lepton_platform.portal.form_errors import place
from lepton_platform.portal.forms import PrivacyForm
from lepton_platform.portal.pages import render_page
from tenants.data.actions.space import update_privacy
from tenants.data.presets import PRIVACY
from tenants.data.queries import space
from tenants.errors import Forbidden, Invalid
from tenants.scope import scope


@require_http_methods(["GET", "POST"])
@member_required("privacy.read", back="portal:privacy")
def privacy(request: HttpRequest, here: Here) -> HttpResponse:
    form = PrivacyForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _updated(here, form):
        messages.success(request, _("The privacy settings are saved."))
        return redirect("portal:privacy", here.tenant.slug)
    with scope(here.ref, actor=here.actor) as s:
        state = space.state(s)
    return render_page(
        request,
        here,
        "portal/privacy.html",
        title=_("Privacy"),
        form=form if form.is_bound else PrivacyForm.of(state.privacy),
        state=state,
        preset=PRIVACY[state.vertical],
    )


def _updated(here: Here, form: PrivacyForm) -> bool:
    """False when the action refuses; the reasons then stand at the form's fields."""
    if not here.may("privacy.write"):
        raise Forbidden
    try:
        with scope(here.ref, actor=here.actor) as s:
            update_privacy(s, form.settings())
    except Invalid as error:
        place(form, error)
        return False
    return True
