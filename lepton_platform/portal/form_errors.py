from __future__ import annotations

from django import forms

from lepton_platform.portal.wording import said_at
from tenants.errors import Invalid


def place(form: forms.Form, error: Invalid) -> None:
    """Puts each reason of the domain at the field it points to, or above the form."""
    for one in error.errors:
        name = one.pointer.strip("/").partition("/")[0]
        form.add_error(name if name in form.fields else None, said_at(one))
