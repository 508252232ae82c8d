"""The tenant pages: opening, changing, suspending and resuming a tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from lepton_platform.staff import model_health
from lepton_platform.staff.access import get_staff_actor
from lepton_platform.staff.pages.base import DirectoryAdmin
from lepton_platform.staff.pages.decorators import confirm_action, display_column
from lepton_platform.staff.pages.tenant_forms import OpenTenantForm, ReasonForm, TenantForm
from lepton_platform.staff.site import site
from tenants.control import queries
from tenants.control.actions import create_user, resume_tenant, suspend_tenant, update_tenant
from tenants.control.models import Tenant, User
from tenants.errors import DomainError
from tenants.privacy.onboarding import finish_opening, open_tenant
from tenants.regions import TenantRef
from tenants.scope import Actor, control_scope

_STATUS = {"active": "success", "suspended": "danger", "opening": "warning"}
# The one action that each status offers, by the name of its method.
_STATUS_ACTIONS = {"opening": "finish", "active": "suspend", "suspended": "resume"}
# Keys, storage and addresses are derived from these fields.
_READONLY_FIELDS = ("slug", "vertical", "region", "status", "created_at", "identifier")


@admin.register(Tenant, site=site)
class TenantAdmin(DirectoryAdmin):
    """Tenants in the control database. Opening a tenant also creates its keys and its space in its region."""

    list_display = ("heading", "vertical", "region", "plan_label", "status_label", "language", "created_at")
    list_filter = ("status", "region", "vertical", "plan")
    list_display_links = ("heading",)
    search_fields = ("name", "slug")
    list_select_related = ("region",)
    actions_detail = ("finish", "suspend", "resume")
    change_form_after_template = "staff/tenant_after.html"

    @display_column(_("Tenant"), header=True, ordering="name")
    def heading(self, tenant: Tenant) -> tuple[str, str]:
        """Name and slug."""
        return tenant.name, tenant.slug

    @display_column(_("Plan"), label=True, ordering="plan")
    def plan_label(self, tenant: Tenant) -> str:
        """Translated plan."""
        return str(tenant.get_plan_display())

    @display_column(_("Status"), label=_STATUS, ordering="status")
    def status_label(self, tenant: Tenant) -> tuple[str, str]:
        """Status and its translation."""
        return tenant.status, str(tenant.get_status_display())

    def get_form(
        self, request: HttpRequest, obj: Tenant | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Returns the form of a new tenant or of an existing one."""
        kwargs["form"] = TenantForm if obj else OpenTenantForm
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        """Returns the fields that are fixed once the tenant is open."""
        if obj is None:
            return ()
        return _READONLY_FIELDS

    def get_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        """Returns the fields of a new tenant or of an existing one."""
        if obj is None:
            return (*OpenTenantForm.Meta.fields, "owner_email")
        return (*TenantForm.Meta.fields, *_READONLY_FIELDS)

    def get_fieldsets(self, request: HttpRequest, obj: Tenant | None = None) -> Any:
        """Separates the fields that can be changed from the fixed ones."""
        if obj is None:
            return super().get_fieldsets(request, obj)
        return [
            (None, {"fields": ["name", ("plan", "language"), ("currency", "time_zone")]}),
            (
                _("Fixed"),
                {"fields": [("slug", "status"), ("vertical", "region"), ("created_at", "identifier")]},
            ),
        ]

    @display_column(_("Id"))
    def identifier(self, tenant: Tenant) -> str:
        """The tenant's id, which logs and file names contain."""
        return str(tenant.pk)

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        """Calls the action that changes or opens the tenant."""
        actor = get_staff_actor(request)
        if change:
            # Only changed fields, so that the audit entry lists what was changed.
            changed = {field: form.cleaned_data[field] for field in form.changed_data}
            with control_scope(obj.pk, actor=actor) as s:
                update_tenant(s, **changed)
            return
        fields = {field: form.cleaned_data[field] for field in OpenTenantForm.Meta.fields}
        fields["region"] = fields["region"].code
        owner = self._ensure_owner(request, form.cleaned_data["owner_email"], fields["language"])
        # The admin redirects to the page of `obj` after saving.
        obj.pk = open_tenant(owner=owner, actor=actor, **fields).id

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """Adds members, keys, audit entries and the model's state to the page of a tenant."""
        if obj is not None:
            context |= _load_tenant_context(obj, get_staff_actor(request))
        response: HttpResponse = super().render_change_form(request, context, add, change, form_url, obj)
        return response

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Returns the action that the tenant's status allows."""
        tenant = self.get_object(request, object_id)
        if tenant is None:
            return []
        # unfold prefixes the method's name with the model's.
        suffix = f"_{_STATUS_ACTIONS[tenant.status]}"
        actions = super().get_actions_detail(request, object_id)
        return [action for action in actions if action.action_name.endswith(suffix)]

    @confirm_action(
        _("Suspend"),
        path="suspend",
        icon="pause_circle",
        variant=ActionVariant.DANGER,
        question=_("Suspend this tenant?"),
        consequence=_("Its API keys and its portal stop within five seconds. Nothing is deleted."),
        form=ReasonForm,
    )
    def suspend(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Suspends the tenant."""
        return self._change_status(request, object_id, suspend_tenant, form.cleaned_data["reason"])

    @confirm_action(
        _("Resume"),
        path="resume",
        icon="play_circle",
        variant=ActionVariant.PRIMARY,
        question=_("Resume this tenant?"),
        consequence=_("Its API keys and its portal work again within five seconds."),
        form=ReasonForm,
    )
    def resume(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Resumes the tenant."""
        return self._change_status(request, object_id, resume_tenant, form.cleaned_data["reason"])

    @confirm_action(
        _("Finish setting up"),
        path="finish",
        icon="build_circle",
        variant=ActionVariant.PRIMARY,
        question=_("Finish setting up this tenant?"),
        consequence=_("Its opening was interrupted. Missing keys and storage are created now."),
        form=BaseDialogForm,
    )
    def finish(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        """Completes an opening that was interrupted."""

        def finish_tenant() -> None:
            with control_scope(UUID(str(object_id)), actor=get_staff_actor(request)) as s:
                # The scope is closed before finish_opening(), which opens scopes of its own.
                entry = queries.get_tenant(s)
            finish_opening(entry, owner=None, actor=get_staff_actor(request))

        return self._run_and_report(request, object_id, finish_tenant, _("The tenant is open."))

    def _change_status(
        self, request: HttpRequest, object_id: str, apply_action: Any, reason: str
    ) -> HttpResponse:
        def change_status() -> None:
            with control_scope(UUID(str(object_id)), actor=get_staff_actor(request)) as s:
                apply_action(s, reason=reason)

        return self._run_and_report(
            request,
            object_id,
            change_status,
            _("Done. The tenant's owners see the reason in their audit log."),
        )

    def _run_and_report(
        self, request: HttpRequest, object_id: str, perform: Callable[[], None], success_message: Any
    ) -> HttpResponse:
        try:
            perform()
        except DomainError as error:
            messages.error(request, _(error.detail))
        else:
            messages.success(request, success_message)
        # The dialog is submitted by htmx, which follows this header with a full page load.
        return HttpResponse(headers={"HX-Redirect": reverse("admin:control_tenant_change", args=[object_id])})

    def _ensure_owner(self, request: HttpRequest, email: str, language: str) -> User | None:
        if not email:
            return None
        user = queries.find_user_by_email(email)
        return user or create_user(email=email, language=language, actor=get_staff_actor(request))


def _load_tenant_context(tenant: Tenant, actor: Actor) -> dict[str, Any]:
    """Loads members, number of valid keys, newest audit entries and the model's state, in the tenant's scope."""
    with control_scope(tenant.pk, actor=actor) as s:
        return {
            "model": model_health.load_model_health(TenantRef(tenant.pk, tenant.region_id)),
            "members": queries.list_members(s),
            # A replaced key is valid until its overlap ends.
            "live_keys": sum(key.state in {"active", "replaced"} for key in queries.list_api_keys(s)),
            "audit": queries.list_audit_entries(s, limit=8),
        }
