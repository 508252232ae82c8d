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
    language = forms.ChoiceField(
        label=_("Language"), choices=list_language_choices, widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = User
        fields = ("email", "name", "language", "is_staff", "is_active")


@admin.register(User, site=site)
class UserAdmin(DirectoryAdmin):
    form = UserForm
    list_display = ("heading", "is_staff", "is_active", "language", "last_login", "created_at")
    list_filter = ("is_staff", "is_active", "language")
    list_display_links = ("heading",)
    search_fields = ("email", "name")
    fields = ("email", "name", "language", "is_staff", "is_active")

    @display_column(_("User"), header=True, ordering="email")
    def heading(self, user: User) -> tuple[str, str]:
        return user.name or user.email, user.email if user.name else ""

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return ("email",) if obj else ()

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return self.fields if obj else ("email", "name", "language", "is_staff")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """A new account has no password: its owner sets one through the e-mail address."""
        actor = get_staff_actor(request)
        if change:
            changed = {field: form.cleaned_data[field] for field in form.changed_data}
            update_user(obj.pk, actor=actor, **changed)
            return
        made = create_user(
            email=obj.email, name=obj.name, language=obj.language, is_staff=obj.is_staff, actor=actor
        )
        obj.pk = made.pk
