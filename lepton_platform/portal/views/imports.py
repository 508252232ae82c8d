"""The upload page of the catalogue."""

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

# Rows in the page's table, and rows that the page can post back for the download.
MAX_SHOWN_ROWS = 50
MAX_REJECTED_ROWS = 5_000
EXAMPLE_CSV = (
    "id,title,description,categories,tags,brand,price,currency,language,available\n"
    "sku-1,Linen field jacket,Light and wide,Outerwear|Summer,linen,Nord,129.00,EUR,en,yes"
)


@require_http_methods(["GET", "POST"])
@member_required("catalogue.write", refused_url="portal:catalogue_import")
def upload_catalogue(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Shows the upload form. A POST imports the file and shows how many items were stored."""
    form = UploadForm(request.POST or None, request.FILES or None)
    outcome = _import_upload(workspace, form) if form.is_valid() else None
    rejected = outcome.rejected if outcome else []
    rejected_rows = [[row.number, row.reason, row.row] for row in rejected[:MAX_REJECTED_ROWS]]
    return render_page(
        request,
        workspace,
        "portal/import.html",
        title=_("Upload a catalogue"),
        form=form,
        outcome=outcome,
        shown_rows=rejected[:MAX_SHOWN_ROWS],
        example_file=EXAMPLE_CSV,
        rejected_rows=json.dumps(rejected_rows, ensure_ascii=False),
    )


@require_POST
@member_required("catalogue.write", refused_url="portal:catalogue_import")
def export_rejected_rows(request: HttpRequest, workspace: WorkspaceContext) -> HttpResponse:
    """Returns the rejected rows as CSV. The page posts them back, because they are not stored."""
    rows = _parse_rows(request.POST.get("rows", ""))
    text = format_csv(["row", "reason", "source"], rows)
    return build_csv_response(f"{workspace.tenant.slug}-rejected", text)


def _import_upload(workspace: WorkspaceContext, form: UploadForm) -> CatalogueImportResult | None:
    """Returns the result, or None if the file can't be read; the form then has the error."""
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
    # The rows come back from the browser, so their form is checked again.
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Invalid.from_field("/rows", "unreadable", _("The rows can't be read."))
    return rows[:MAX_REJECTED_ROWS]
