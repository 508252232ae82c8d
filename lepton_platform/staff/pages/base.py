"""Base classes of the staff's admin pages."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin as DjangoModelAdmin
from django.contrib.admin.options import csrf_protect_m
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from tenants.errors import DomainError


class NonAtomicAdminMixin(DjangoModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Removes the transaction that Django opens around a page that saves: a scope must be the outermost transaction."""

    @csrf_protect_m  # type: ignore[untyped-decorator]  # Django's stubs leave it untyped
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Shows or saves a row, without Django's transaction."""
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]


class DirectoryAdmin(ModelAdmin, NonAtomicAdminMixin):  # type: ignore[misc]  # unfold has no types
    """Admin pages over the control database. Saving calls an action. Rows can't be deleted."""

    list_per_page = 50
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Returns False for every row."""
        return False

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Raises PermissionDenied."""
        raise PermissionDenied

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Shows or saves a row. If the action refuses the change, its error is shown as a message."""
        try:
            response: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as error:
            messages.error(request, _(error.detail))
            return HttpResponseRedirect(request.get_full_path())
        return response


class ReadOnlyAdmin(DirectoryAdmin):
    """Admin pages that only show rows."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Returns False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Returns False for every row."""
        return False
