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
from lepton_platform.staff.access import staff_actor
from lepton_platform.staff.pages.base import DirectoryPages
from lepton_platform.staff.pages.decorators import asking_action, column
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
_OFFERED = {"opening": "finish", "active": "suspend", "suspended": "resume"}
_FIXED = ("slug", "vertical", "region", "status", "created_at", "identifier")


@admin.register(Tenant, site=site)
class TenantPages(DirectoryPages):
    list_display = ("heading", "vertical", "region", "plan_label", "status_label", "language", "created_at")
    list_filter = ("status", "region", "vertical", "plan")
    list_display_links = ("heading",)
    search_fields = ("name", "slug")
    list_select_related = ("region",)
    actions_detail = ("finish", "suspend", "resume")
    change_form_after_template = "staff/tenant_after.html"

    @column(_("Tenant"), header=True, ordering="name")
    def heading(self, tenant: Tenant) -> tuple[str, str]:
        return tenant.name, tenant.slug

    @column(_("Plan"), label=True, ordering="plan")
    def plan_label(self, tenant: Tenant) -> str:
        return str(tenant.get_plan_display())

    @column(_("Status"), label=_STATUS, ordering="status")
    def status_label(self, tenant: Tenant) -> tuple[str, str]:
        return tenant.status, str(tenant.get_status_display())

    def get_form(
        self, request: HttpRequest, obj: Tenant | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return super().get_form(
            request, obj, change, **{**kwargs, "form": TenantForm if obj else OpenTenantForm}
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        return _FIXED if obj else ()

    def get_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        if obj is None:
            return (*OpenTenantForm.Meta.fields, "owner_email")
        return (*TenantForm.Meta.fields, *_FIXED)

    def get_fieldsets(self, request: HttpRequest, obj: Tenant | None = None) -> Any:
        if obj is None:
            return super().get_fieldsets(request, obj)
        return [
            (None, {"fields": ["name", ("plan", "language"), ("currency", "time_zone")]}),
            (
                _("Fixed"),
                {"fields": [("slug", "status"), ("vertical", "region"), ("created_at", "identifier")]},
            ),
        ]

    @column(_("Id"))
    def identifier(self, tenant: Tenant) -> str:
        return str(tenant.pk)

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        actor = staff_actor(request)
        if change:
            changed = {field: form.cleaned_data[field] for field in form.changed_data}
            with control_scope(obj.pk, actor=actor) as s:
                update_tenant(s, **changed)
            return
        given = {field: form.cleaned_data[field] for field in OpenTenantForm.Meta.fields}
        owner = self._owner(request, form.cleaned_data["owner_email"], given["language"])
        given["region"] = given["region"].code
        obj.pk = open_tenant(owner=owner, actor=actor, **given).id

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= _around(obj, staff_actor(request))
        response: HttpResponse = super().render_change_form(request, context, add, change, form_url, obj)
        return response

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Only what the tenant's state allows."""
        tenant = self.get_object(request, object_id)
        offered = _OFFERED[tenant.status] if tenant else None
        return [
            each
            for each in super().get_actions_detail(request, object_id)
            if each.action_name.endswith(f"_{offered}")
        ]

    @asking_action(
        _("Suspend"),
        path="suspend",
        icon="pause_circle",
        variant=ActionVariant.DANGER,
        question=_("Suspend this tenant?"),
        consequence=_("Its API keys and its portal stop within five seconds. Nothing is deleted."),
        form=ReasonForm,
    )
    def suspend(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._change_status(request, object_id, suspend_tenant, form.cleaned_data["reason"])

    @asking_action(
        _("Resume"),
        path="resume",
        icon="play_circle",
        variant=ActionVariant.PRIMARY,
        question=_("Resume this tenant?"),
        consequence=_("Its API keys and its portal work again within five seconds."),
        form=ReasonForm,
    )
    def resume(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        return self._change_status(request, object_id, resume_tenant, form.cleaned_data["reason"])

    @asking_action(
        _("Finish setting up"),
        path="finish",
        icon="build_circle",
        variant=ActionVariant.PRIMARY,
        question=_("Finish setting up this tenant?"),
        consequence=_("It was interrupted. What is missing of keys and space is made now."),
        form=BaseDialogForm,
    )
    def finish(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        def run() -> None:
            with control_scope(UUID(str(object_id)), actor=staff_actor(request)) as s:
                entry = queries.tenant(s)
            finish_opening(entry, owner=None, actor=staff_actor(request))

        return self._said(request, object_id, run, _("The tenant is open."))

    def _change_status(self, request: HttpRequest, object_id: str, change: Any, reason: str) -> HttpResponse:
        def run() -> None:
            with control_scope(UUID(str(object_id)), actor=staff_actor(request)) as s:
                change(s, reason=reason)

        return self._said(
            request, object_id, run, _("Done. The tenant's owners see the reason in their audit log.")
        )

    def _said(self, request: HttpRequest, object_id: str, run: Callable[[], None], done: Any) -> HttpResponse:
        try:
            run()
        except DomainError as error:
            messages.error(request, _(error.detail))
        else:
            messages.success(request, done)
        return HttpResponse(headers={"HX-Redirect": reverse("admin:control_tenant_change", args=[object_id])})

    def _owner(self, request: HttpRequest, email: str, language: str) -> User | None:
        if not email:
            return None
        known = queries.user_by_email(email)
        return known or create_user(email=email, language=language, actor=staff_actor(request))


def _around(tenant: Tenant, actor: Actor) -> dict[str, Any]:
    """People, keys in use, the latest of the audit log and how the model does, read under the tenant's own claim."""
    with control_scope(tenant.pk, actor=actor) as s:
        return {
            "model": model_health.of(TenantRef(tenant.pk, tenant.region_id)),
            "members": queries.members(s),
            "live_keys": sum(key.state in {"active", "replaced"} for key in queries.api_keys(s)),
            "audit": queries.audit_page(s, limit=8),
        }
