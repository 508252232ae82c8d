"""The audit log page of the staff pages."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Case, CharField, F, OuterRef, QuerySet, Subquery, UUIDField, Value, When
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from lepton_platform.staff.access import get_staff_actor
from lepton_platform.staff.pages.base import ReadOnlyAdmin
from lepton_platform.staff.pages.decorators import display_column
from lepton_platform.staff.site import site
from tenants.control.models import AuditEntry, Tenant, User
from tenants.scope import control_ops

# Actor ids are texts: those of users are UUIDs, those of keys and of the system are not and can't be cast.
_UUID_PATTERN = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_ACTOR_USER_ID = Case(
    When(
        actor_kind__in=["user", "staff"],
        actor_id__regex=_UUID_PATTERN,
        then=Cast("actor_id", UUIDField()),
    ),
    default=Value(None),
    output_field=UUIDField(),
)


@admin.register(AuditEntry, site=site)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The audit log of the control database over all tenants.

    Its table has row-level security, so each page opens `control_ops`, which is audited itself.
    """

    list_display = ("when", "verb", "tenant", "actor", "subject", "facts_line")
    list_filter = ("actor_kind", "verb")
    search_fields = ("verb", "subject", "actor_id")
    fields = ("when", "verb", "tenant", "actor", "subject", "facts_line")
    ordering = ("-at", "-id")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Shows the list."""
        with control_ops("staff", actor=get_staff_actor(request), reason="audit page"):
            return _render_response(super().changelist_view(request, extra_context))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Shows one entry."""
        with control_ops("staff", actor=get_staff_actor(request), reason="audit entry"):
            return _render_response(super().changeform_view(request, object_id, form_url, extra_context))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Raises PermissionDenied: an entry has no history, because it never changes."""
        raise PermissionDenied("An entry never changes.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        """Adds the tenant's name and the user's e-mail address to each entry."""
        names = Tenant.objects.filter(id=OuterRef("tenant_id")).values("name")[:1]
        emails = User.objects.filter(id=OuterRef("person")).values("email")[:1]
        queryset: QuerySet[AuditEntry] = super().get_queryset(request)
        return queryset.annotate(
            tenant_name=Subquery(names),
            person=_ACTOR_USER_ID,
            person_email=Subquery(emails, output_field=CharField()),
        )

    @display_column(_("When (UTC)"), ordering="at")
    def when(self, entry: AuditEntry) -> str:
        """Time in UTC, because staff compare entries of several time zones."""
        return f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"

    @display_column(_("Tenant"))
    def tenant(self, entry: AuditEntry) -> str:
        """Name or id of the tenant; entries without a tenant concern the platform."""
        if entry.tenant_id is None:
            return str(_("Platform"))
        return getattr(entry, "tenant_name", None) or str(entry.tenant_id)

    @display_column(_("Who"), ordering=F("actor_kind"))
    def actor(self, entry: AuditEntry) -> str:
        """Kind of the actor, with the e-mail address of a user or the id of another actor."""
        return f"{entry.actor_kind}: {getattr(entry, 'person_email', None) or entry.actor_id}"

    @display_column(_("Facts"))
    def facts_line(self, entry: AuditEntry) -> str:
        """All facts in one line."""
        facts = [f"{name}: {_format_fact(value)}" for name, value in entry.facts.items()]
        return ", ".join(facts) or "-"


def _format_fact(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _render_response(response: HttpResponse) -> HttpResponse:
    """Renders a lazy response now. Its template reads rows, which is possible only while the scope is open."""
    if isinstance(response, TemplateResponse):
        return response.render()
    return response
