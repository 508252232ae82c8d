"""Forms of the tenant pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from lepton_platform.staff.pages.languages import list_language_choices
from tenants import regions
from tenants.control.actions.tenant_checks import check_tenant_fields
from tenants.control.models import Region, Tenant
from tenants.control.region_defaults import RegionDefaults, get_region_defaults


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """The fields that can be changed later. They are checked by the rules of the action."""

    language = forms.ChoiceField(
        label=_("Language"), choices=list_language_choices, widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = Tenant
        fields: tuple[str, ...] = ("name", "plan", "language", "currency", "time_zone")

    def clean(self) -> dict[str, Any] | None:
        """Shows the errors of the action's checks at the fields."""
        cleaned = super().clean() or self.cleaned_data
        fields = dict(cleaned)
        if fields.get("region"):
            fields["region"] = fields["region"].code
        for error in check_tenant_fields(fields):
            self.add_error(error.pointer.removeprefix("/"), _(error.detail))
        return cleaned


class OpenTenantForm(TenantForm):
    """A new tenant with its fixed fields and its first owner."""

    owner_email = forms.EmailField(
        label=_("Owner's e-mail"),
        required=False,
        help_text=_(
            "If there is no account with this address, one is created. Its owner sets the password by e-mail."
        ),
        widget=UnfoldAdminEmailInputWidget,
    )

    class Meta(TenantForm.Meta):
        fields = ("name", "slug", "vertical", "region", "plan", "language", "currency", "time_zone")
        help_texts = {
            "slug": _(
                "Part of the portal's address: lower-case letters, digits and hyphens. It can't be changed later."
            ),
            "region": _("Where all data of this tenant is stored. It can't be changed here."),
            "currency": _("Three letters, like EUR. Empty: the default of the region."),
            "time_zone": _("A name like Asia/Shanghai. Empty: the default of the region."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        served = Region.objects.filter(active=True, code__in=regions.list_served())
        self.fields["region"].queryset = served  # type: ignore[attr-defined]  # a model choice
        for name in ("currency", "time_zone"):
            self.fields[name].required = False

    def clean_currency(self) -> str:
        """Returns the entered currency, or the default of the region."""
        return self.cleaned_data["currency"] or self._get_region_defaults().currency

    def clean_time_zone(self) -> str:
        """Returns the entered time zone, or the default of the region."""
        return self.cleaned_data["time_zone"] or self._get_region_defaults().time_zone

    def _get_region_defaults(self) -> RegionDefaults:
        # The region is missing here if it was invalid; the platform's defaults are used then.
        region = self.cleaned_data.get("region")
        return get_region_defaults(region.code if region else "")


class ReasonForm(BaseDialogForm):  # type: ignore[misc]  # unfold has no types
    """The reason of a change of status."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Shown to the tenant's owners in their audit log."),
    )
