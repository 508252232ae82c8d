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
    """The fields that may change later. The checks are the actions' own."""

    language = forms.ChoiceField(
        label=_("Language"), choices=list_language_choices, widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = Tenant
        fields: tuple[str, ...] = ("name", "plan", "language", "currency", "time_zone")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        given = {**cleaned, "region": cleaned["region"].code} if cleaned.get("region") else cleaned
        for error in check_tenant_fields(given):
            self.add_error(error.pointer.removeprefix("/"), _(error.detail))
        return cleaned


class OpenTenantForm(TenantForm):
    owner_email = forms.EmailField(
        label=_("Owner's e-mail"),
        required=False,
        help_text=_("An account is made when there is none; its owner sets a password through the address."),
        widget=UnfoldAdminEmailInputWidget,
    )

    class Meta(TenantForm.Meta):
        fields = ("name", "slug", "vertical", "region", "plan", "language", "currency", "time_zone")
        help_texts = {
            "slug": _(
                "Stands in the portal's address: lower-case letters, digits and hyphens. It does not change."
            ),
            "region": _("Where all data of this tenant stays. It does not change here."),
            "currency": _("Three letters, like EUR. Empty: the usual one of the region."),
            "time_zone": _("A name like Asia/Shanghai. Empty: the usual one of the region."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        served = Region.objects.filter(active=True, code__in=regions.list_served())
        self.fields["region"].queryset = served  # type: ignore[attr-defined]  # a model choice
        for name in ("currency", "time_zone"):
            self.fields[name].required = False

    def clean_currency(self) -> str:
        return self.cleaned_data["currency"] or self._get_region_defaults().currency

    def clean_time_zone(self) -> str:
        return self.cleaned_data["time_zone"] or self._get_region_defaults().time_zone

    def _get_region_defaults(self) -> RegionDefaults:
        region = self.cleaned_data.get("region")
        return get_region_defaults(region.code if region else "")


class ReasonForm(BaseDialogForm):  # type: ignore[misc]  # unfold has no types
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("The tenant's owners read it in their audit log."),
    )
