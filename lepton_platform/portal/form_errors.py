from __future__ import annotations

from django import forms

from lepton_platform.portal.messages import translate_field_error
from tenants.errors import Invalid


def add_error_to_form(form: forms.Form, error: Invalid) -> None:
    """Puts each reason of the domain at the field it points to, or above the form."""
    for one in error.errors:
        name = one.pointer.strip("/").partition("/")[0]
        form.add_error(name if name in form.fields else None, translate_field_error(one))
