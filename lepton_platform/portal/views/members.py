"""The members page."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from lepton_platform.portal.access import WorkspaceContext, member_required
from lepton_platform.portal.form_errors import add_error_to_form
from lepton_platform.portal.forms import InviteForm, RoleForm
from lepton_platform.portal.pages import render_page
from tenants.control import actions, queries
from tenants.control.roles import MemberRole
from tenants.errors import Forbidden, Invalid
from tenants.scope import control_scope


@require_http_methods(["GET", "POST"])
@member_required("members.read", refused_url="portal:members")
def show_members(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Shows the members. A POST adds a member."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _invite_member(workspace, form):
        messages.success(request, _("%(email)s is a member now.") % {"email": form.cleaned_data["email"]})
        return redirect("portal:members", workspace.tenant.slug)
    with control_scope(workspace.tenant.id, actor=workspace.actor) as s:
        members = queries.list_members(s)
    return render_page(
        request,
        workspace,
        "portal/members.html",
        title=_("Members"),
        form=form,
        members=members,
        roles=MemberRole.choices,
    )


@require_POST
@member_required("members.write", refused_url="portal:members")
def change_role(request: HttpRequest, workspace: WorkspaceContext, user_id: UUID) -> HttpResponse:
    """Changes the role of a member."""
    form = RoleForm(request.POST)
    if form.is_valid():
        with control_scope(workspace.tenant.id, actor=workspace.actor) as s:
            member = actions.change_role(s, user_id, form.cleaned_data["role"])
        messages.success(
            request, _("%(email)s: %(role)s.") % {"email": member.email, "role": member.role.label}
        )
    return redirect("portal:members", workspace.tenant.slug)


@require_POST
@member_required("members.write", refused_url="portal:members")
def remove_member(request: HttpRequest, workspace: WorkspaceContext, user_id: UUID) -> HttpResponse:
    """Removes a member from the workspace."""
    with control_scope(workspace.tenant.id, actor=workspace.actor) as s:
        actions.remove_member(s, user_id)
    messages.success(request, _("The member is removed."))
    return redirect("portal:members", workspace.tenant.slug)


def _invite_member(workspace: WorkspaceContext, form: InviteForm) -> bool:
    """Returns False if the action refuses; the form then has the errors."""
    # The page may be read with a lower role than adding a member needs.
    if not workspace.has_permission("members.write"):
        raise Forbidden
    try:
        with control_scope(workspace.tenant.id, actor=workspace.actor) as s:
            # A new account gets the language of the page.
            actions.invite_member(s, **form.cleaned_data, language=get_language() or "en")
    except Invalid as error:
        add_error_to_form(form, error)
        return False
    return True
