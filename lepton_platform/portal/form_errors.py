"""Shows errors of an action at the fields of a form."""

from __future__ import annotations

from django import forms

from lepton_platform.portal.messages import translate_field_error
from tenants.errors import Invalid


def add_error_to_form(form: forms.Form, error: Invalid) -> None:
    """Adds each field error to the form field that its pointer names, or to the form if there is no such field."""
    for field_error in error.errors:
        # Pointers below a field, like /cidrs/2, belong to the field.
        name = field_error.pointer.strip("/").partition("/")[0]
        form.add_error(name if name in form.fields else None, translate_field_error(field_error))
