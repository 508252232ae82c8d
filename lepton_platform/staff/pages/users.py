"""The user pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from lepton_platform.staff.access import get_staff_actor
from lepton_platform.staff.pages.base import DirectoryAdmin
from lepton_platform.staff.pages.decorators import display_column
from lepton_platform.staff.pages.languages import list_language_choices
from lepton_platform.staff.site import site
from tenants.control.actions import create_user, update_user
from tenants.control.models import User


class UserForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """An account."""

    language = forms.ChoiceField(
        label=_("Language"), choices=list_language_choices, widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = User
        fields = ("email", "name", "language", "is_staff", "is_active")


@admin.register(User, site=site)
class UserAdmin(DirectoryAdmin):
    """Accounts. The e-mail address is fixed, because memberships and sign-in refer to it."""

    form = UserForm
    list_display = ("heading", "is_staff", "is_active", "language", "last_login", "created_at")
    list_filter = ("is_staff", "is_active", "language")
    list_display_links = ("heading",)
    search_fields = ("email", "name")
    fields = ("email", "name", "language", "is_staff", "is_active")

    @display_column(_("User"), header=True, ordering="email")
    def heading(self, user: User) -> tuple[str, str]:
        """Name and e-mail address; only the address for a user without a name."""
        if user.name:
            return user.name, user.email
        return user.email, ""

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Returns the fields that are fixed after the account was created."""
        if obj is None:
            return ()
        return ("email",)

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Returns the fields of an account; a new one is always active."""
        if obj is None:
            return ("email", "name", "language", "is_staff")
        return self.fields

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Calls the action that changes or creates the account. A new one has no password; its owner sets it by e-mail."""
        actor = get_staff_actor(request)
        if change:
            changed = {field: form.cleaned_data[field] for field in form.changed_data}
            update_user(obj.pk, actor=actor, **changed)
            return
        user = create_user(
            email=obj.email, name=obj.name, language=obj.language, is_staff=obj.is_staff, actor=actor
        )
        obj.pk = user.pk
