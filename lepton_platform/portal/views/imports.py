from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from lepton_platform.portal.access import WorkspaceContext, member_required
from lepton_platform.portal.form_errors import add_error_to_form
from lepton_platform.portal.forms import UploadForm
from lepton_platform.portal.pages import render_page
from lepton_platform.portal.tables import build_csv_response, format_csv
from lepton_platform.portal.uploads import CatalogueImportResult, import_catalogue
from tenants.errors import Invalid

MAX_SHOWN_ROWS = 50
MAX_REJECTED_ROWS = 5_000
EXAMPLE_CSV = (
    "id,title,description,categories,tags,brand,price,currency,language,available\n"
    "sku-1,Linen field jacket,Light and wide,Outerwear|Summer,linen,Nord,129.00,EUR,en,yes"
)


@require_http_methods(["GET", "POST"])
@member_required("catalogue.write", refused_url="portal:catalogue_import")
def upload_catalogue(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    outcome = _import_upload(workspace, form) if form.is_valid() else None
    kept = (
        [[one.number, one.reason, one.row] for one in outcome.rejected[:MAX_REJECTED_ROWS]] if outcome else []
    )
    return render_page(
        request,
        workspace,
        "portal/import.html",
        title=_("Upload a catalogue"),
        form=form,
        outcome=outcome,
        shown=outcome.rejected[:MAX_SHOWN_ROWS] if outcome else [],
        example_file=EXAMPLE_CSV,
        rejected_rows=json.dumps(kept, ensure_ascii=False),
    )


@require_POST
@member_required("catalogue.write", refused_url="portal:catalogue_import")
def export_rejected_rows(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Gives the rejected rows back as a file. They came with the page: nothing of them is stored."""
    rows = _parse_rows(request.POST.get("rows", ""))
    return build_csv_response(
        f"{workspace.tenant.slug}-rejected", format_csv(["row", "reason", "source"], rows)
    )


def _import_upload(workspace: WorkspaceContext, form: UploadForm) -> CatalogueImportResult | None:
    """None when the file can't be read; the reason then stands at the field."""
    file = form.cleaned_data["file"]
    try:
        return import_catalogue(workspace, file.name, file.read())
    except Invalid as error:
        add_error_to_form(form, error)
        return None


def _parse_rows(text: str) -> list[list[object]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise Invalid.from_field("/rows", "unreadable", _("The rows can't be read.")) from error
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Invalid.from_field("/rows", "unreadable", _("The rows can't be read."))
    return rows[:MAX_REJECTED_ROWS]
