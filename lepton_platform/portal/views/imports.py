from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from lepton_platform.portal.access import Here, member_required
from lepton_platform.portal.form_errors import place
from lepton_platform.portal.forms import UploadForm
from lepton_platform.portal.importing import Outcome, load
from lepton_platform.portal.pages import render_page
from lepton_platform.portal.tables import as_text, csv_response
from lepton_platform.portal.uploads import parse
from tenants.errors import Invalid

SHOWN = 50
KEPT = 5_000
EXAMPLE = (
    "id,title,description,categories,tags,brand,price,currency,language,available\n"
    "sku-1,Linen field jacket,Light and wide,Outerwear|Summer,linen,Nord,129.00,EUR,en,yes"
)


@require_http_methods(["GET", "POST"])
@member_required("catalogue.write", back="portal:catalogue_import")
def upload(request: HttpRequest, here: Here) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    outcome = _outcome(here, form) if form.is_valid() else None
    kept = [[one.number, one.reason, one.row] for one in outcome.rejected[:KEPT]] if outcome else []
    return render_page(
        request,
        here,
        "portal/import.html",
        title=_("Upload a catalogue"),
        form=form,
        outcome=outcome,
        shown=outcome.rejected[:SHOWN] if outcome else [],
        example_file=EXAMPLE,
        rejected_rows=json.dumps(kept, ensure_ascii=False),
    )


@require_POST
@member_required("catalogue.write", back="portal:catalogue_import")
def rejected(request: HttpRequest, here: Here) -> HttpResponse:
    """Gives the rejected rows back as a file. They came with the page: nothing of them is stored."""
    rows = _rows(request.POST.get("rows", ""))
    return csv_response(f"{here.tenant.slug}-rejected", as_text(["row", "reason", "source"], rows))


def _outcome(here: Here, form: UploadForm) -> Outcome | None:
    """None when the file can't be read; the reason then stands at the field."""
    file = form.cleaned_data["file"]
    try:
        return load(here, parse(file.name, file.read()))
    except Invalid as error:
        place(form, error)
        return None


def _rows(text: str) -> list[list[object]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise Invalid.at("/rows", "unreadable", _("The rows can't be read.")) from error
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Invalid.at("/rows", "unreadable", _("The rows can't be read."))
    return rows[:KEPT]
