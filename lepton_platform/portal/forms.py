"""Forms of the portal. They check formats; the rules of the domain are checked by the actions."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from lepton_platform.portal.presenters.statistics import PORTAL_SCENARIO_PREFIX
from recommender.serving.types import RecommendRequest
from tenants.control.api_scopes import API_SCOPES
from tenants.control.roles import MemberRole
from tenants.data.types import PrivacySettings

_INPUT_ATTRIBUTES = {"class": "input"}
_TEXTAREA_ATTRIBUTES = {"class": "textarea", "rows": 3}
MAX_UPLOAD_MIB = 32


class KeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        help_text=_("Where the key is used, e.g. “shop server”."),
        widget=forms.TextInput(attrs={**_INPUT_ATTRIBUTES, "autocomplete": "off"}),
    )
    # Scopes are shown by their names, which the API documentation uses too.
    scopes = forms.MultipleChoiceField(
        label=_("Allowed"),
        choices=[(name, name) for name in sorted(API_SCOPES)],
        widget=forms.CheckboxSelectMultiple,
    )
    lifetime = forms.TypedChoiceField(
        label=_("Expires"),
        choices=[
            ("30", _("in 30 days")),
            ("90", _("in 90 days")),
            ("365", _("in a year")),
            ("0", pgettext_lazy("expiry", "never")),
        ],
        initial="365",
        coerce=int,
        widget=forms.Select(attrs={"class": "select w-full"}),
    )
    cidrs = forms.CharField(
        label=_("Only from these networks"),
        required=False,
        help_text=_("One a line, like 192.0.2.0/24. Empty: from everywhere."),
        widget=forms.Textarea(attrs={**_TEXTAREA_ATTRIBUTES, "class": "textarea font-mono"}),
    )

    def compute_expiry(self) -> datetime | None:
        """Returns when the key expires, or None for a key that never expires."""
        days = self.cleaned_data["lifetime"]
        if not days:
            return None
        return timezone.now() + timedelta(days=days)

    def parse_networks(self) -> list[str]:
        """Returns the networks in CIDR notation. The action checks them."""
        return str(self.cleaned_data["cidrs"]).split()


class OverlapForm(forms.Form):
    """How long a rotated key stays valid beside its successor."""

    hours = forms.TypedChoiceField(
        label=_("The old key works for"),
        choices=[("0", _("no longer")), ("24", _("another day")), ("168", _("another week"))],
        initial="24",
        coerce=int,
    )


class InviteForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail"), widget=forms.EmailInput(attrs={**_INPUT_ATTRIBUTES, "autocomplete": "off"})
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=MemberRole.choices,
        initial=MemberRole.VIEWER,
        widget=forms.Select(attrs={"class": "select w-full"}),
    )


class RoleForm(forms.Form):
    # The page submits the form when a role is chosen, so it needs no label.
    role = forms.ChoiceField(choices=MemberRole.choices)


class PrivacyForm(forms.Form):
    personalisation = forms.ChoiceField(
        label=_("Personalisation"),
        choices=[
            ("on", _("On: recommendations may use what a profile did.")),
            (
                "off",
                _("Off: no profiling. Recommendations use the item, the session or popularity."),
            ),
        ],
        widget=forms.RadioSelect,
    )
    basis = forms.ChoiceField(
        label=_("Legal basis of profiling"),
        choices=[
            ("opt_in", _("Consent: only profiles that have consented are used.")),
            ("notice", _("Notice: profiles are used unless they object.")),
        ],
        widget=forms.RadioSelect,
    )
    event_retention_days = forms.IntegerField(
        label=_("Events are kept for (days)"),
        min_value=1,
        max_value=3650,
        widget=forms.NumberInput(attrs=_INPUT_ATTRIBUTES),
    )
    denied_attributes = forms.CharField(
        label=_("Never used as a feature"),
        required=False,
        help_text=_("Attribute names of profiles and items, separated by commas."),
        widget=forms.Textarea(attrs=_TEXTAREA_ATTRIBUTES),
    )
    report_min_count = forms.IntegerField(
        label=_("Smallest group in reports"),
        min_value=1,
        max_value=1000,
        help_text=_("Counts below this number are not shown."),
        widget=forms.NumberInput(attrs=_INPUT_ATTRIBUTES),
    )

    @classmethod
    def from_settings(cls, settings: PrivacySettings) -> PrivacyForm:
        """Returns a form that shows `settings`."""
        values = msgspec.to_builtins(settings)
        return cls(initial={**values, "denied_attributes": ", ".join(settings.denied_attributes)})

    def to_settings(self) -> PrivacySettings:
        """Returns the entered settings. The form must be valid."""
        values = dict(self.cleaned_data)
        # Chinese keyboards write a full-width comma.
        names = str(values["denied_attributes"]).replace("，", ",").split(",")
        values["denied_attributes"] = sorted({name.strip() for name in names if name.strip()})
        return msgspec.convert(values, PrivacySettings)


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV, JSONL or Parquet, at most 32 MiB."),
        widget=forms.ClearableFileInput(
            attrs={"class": "input", "accept": ".csv,.tsv,.jsonl,.ndjson,.parquet"}
        ),
    )

    def clean_file(self) -> Any:
        """Raises ValidationError for a file above the size limit."""
        file = self.cleaned_data["file"]
        # Django has spooled a large upload to disk; nothing of it was parsed yet.
        if file.size > MAX_UPLOAD_MIB * 1024 * 1024:
            raise forms.ValidationError(_("The file is larger than 32 MiB."))
        return file


class PreviewForm(forms.Form):
    profile_id = forms.CharField(
        label=_("Profile"),
        required=False,
        max_length=256,
        help_text=_("Empty: an anonymous visitor."),
        widget=forms.TextInput(attrs={**_INPUT_ATTRIBUTES, "autocomplete": "off"}),
    )
    session = forms.CharField(
        label=_("Items seen in this session"),
        required=False,
        help_text=_("Item ids, oldest first, separated by commas or lines."),
        widget=forms.Textarea(attrs={**_TEXTAREA_ATTRIBUTES, "class": "textarea font-mono", "rows": 2}),
    )
    scenario = forms.RegexField(
        label=_("Scenario"),
        # Shorter than the API allows, because to_recommend_request() adds a prefix.
        regex=r"^[A-Za-z0-9_.\-]{1,50}$",
        initial="default",
        widget=forms.TextInput(attrs=_INPUT_ATTRIBUTES),
    )
    k = forms.IntegerField(
        label=_("How many"),
        min_value=1,
        max_value=48,
        initial=12,
        widget=forms.NumberInput(attrs=_INPUT_ATTRIBUTES),
    )
    filter = forms.CharField(
        label=_("Filter"),
        required=False,
        help_text=_('JSON, e.g. {"price": {"lt": 50}}'),
        widget=forms.Textarea(attrs={**_TEXTAREA_ATTRIBUTES, "class": "textarea font-mono", "rows": 2}),
    )

    def clean_filter(self) -> Any:
        """Decodes the filter. Raises ValidationError if it is not JSON."""
        text = self.cleaned_data["filter"].strip()
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise forms.ValidationError(_("This is not JSON.")) from error

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError if the fields together are no valid request."""
        # With an invalid field the request would be refused for the same reason a second time.
        if not self.errors:
            try:
                self.to_recommend_request()
            except msgspec.ValidationError as error:
                raise forms.ValidationError(str(error)) from error
        return self.cleaned_data

    def to_recommend_request(self) -> RecommendRequest:
        """Returns the request for this preview. Raises msgspec.ValidationError."""
        # The prefix keeps previews out of the statistics.
        scenario = PORTAL_SCENARIO_PREFIX + self.cleaned_data["scenario"]
        return msgspec.convert(
            {**self.to_api_body(), "scenario": scenario, "reasons": True}, RecommendRequest
        )

    def to_api_body(self) -> dict[str, Any]:
        """Returns the same request as a body of the REST API, without fields that have their default value."""
        values = self.cleaned_data
        session = str(values["session"]).replace(",", " ").replace("，", " ").split()
        body = {
            "profile_id": values["profile_id"].strip() or None,
            "session": session or None,
            "k": values["k"],
            "filter": values.get("filter"),
        }
        if values["scenario"] != "default":
            body["scenario"] = values["scenario"]
        return {name: value for name, value in body.items() if value is not None}
