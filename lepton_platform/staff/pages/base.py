"""What the directory's admin pages share."""

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
    """Django wraps a saving page in a transaction; a scope must be the outermost one."""

    @csrf_protect_m  # type: ignore[untyped-decorator]  # Django's stubs leave it untyped
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]


class DirectoryAdmin(ModelAdmin, NonAtomicAdminMixin):  # type: ignore[misc]  # unfold has no types
    """Pages over the directory. Saving calls an action; nothing is deleted here."""

    list_per_page = 50
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        raise PermissionDenied

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A refusal of the action is said on the page."""
        try:
            answer: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as error:
            messages.error(request, _(error.detail))
            return HttpResponseRedirect(request.get_full_path())
        return answer


class ReadOnlyAdmin(DirectoryAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
