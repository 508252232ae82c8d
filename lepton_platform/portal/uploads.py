"""Catalogue uploads: the import pipeline for an uploaded file, with rejection reasons in the reader's language."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from lepton_platform.imports import mapping
from lepton_platform.imports.loading import (
    UNREADABLE_ROW,
    Importer,
    RejectedRow,
    RowBatch,
    get_item_format,
)
from lepton_platform.imports.parsers import FileRow, read_rows
from lepton_platform.portal.access import WorkspaceContext
from lepton_platform.portal.messages import translate_field_error
from tenants.data.types import ItemInput
from tenants.errors import Invalid, TooLarge

MAX_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class RejectedUploadRow:
    """A row that was not stored; `number` counts as a spreadsheet does, from 1 with the header. `row` is its text."""

    number: int
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class CatalogueImportResult:
    """Numbers of items by outcome, and the rejected rows in file order."""

    created: int
    updated: int
    unchanged: int
    rejected: list[RejectedUploadRow]


def import_catalogue(workspace: WorkspaceContext, name: str, content: bytes) -> CatalogueImportResult:
    """Upserts the items of an uploaded file. All rows are parsed first: an unreadable file changes nothing.

    Args:
        workspace: the tenant, and the member as the actor.
        name: file name; its suffix states the format.
        content: the file.

    Raises:
        Invalid: the file can't be read, or has no id column.
        TooLarge: it has more than MAX_ROWS rows.
    """
    rejected: list[RejectedRow] = []
    importer = Importer(workspace.tenant_ref, workspace.actor, get_item_format(), rejected.append)
    for batch in _parse_batches(importer, name, content):
        importer.save_batch(batch)
    # Rows that can't be parsed were rejected before those that the catalogue refused.
    rejected.sort(key=lambda row: row.number)
    counts = importer.result.counts
    return CatalogueImportResult(
        created=counts.get("created", 0),
        updated=counts.get("updated", 0),
        unchanged=counts.get("unchanged", 0),
        rejected=[RejectedUploadRow(row.number, _explain_rejection(row), row.content) for row in rejected],
    )


def _parse_batches(importer: Importer[ItemInput], name: str, content: bytes) -> list[RowBatch[ItemInput]]:
    try:
        rows = _validate_rows(read_rows(name, io.BytesIO(content)))
        return list(importer.parse_batches(rows))
    except Invalid as error:
        (file_error,) = error.errors
        explanation = _explain_unreadable_file(file_error.code, file_error.detail)
        raise Invalid.from_field("/file", file_error.code, explanation) from error


def _validate_rows(numbered_rows: Iterator[tuple[int, FileRow]]) -> Iterator[tuple[int, FileRow]]:
    """Passes the rows on. Raises Invalid for a table without an id column, TooLarge after MAX_ROWS."""
    for count, (number, row) in enumerate(numbered_rows):
        if count == MAX_ROWS:
            raise TooLarge(f"A file has at most {MAX_ROWS} rows.")
        # The columns of a table are the same in every row; a JSON line is text and is checked by its parser.
        if count == 0 and isinstance(row, Mapping):
            names = {mapping.ITEM_COLUMNS.get(name, name) for name in row}
            if "id" not in names:
                raise Invalid.from_field("/file", "no_id_column", "One column must be “id”.")
        yield number, row


def _explain_unreadable_file(code: str, detail: str) -> str:
    if code == "unsupported_file":
        return _("Send a CSV, JSONL or Parquet file.")
    if code in ("no_id_column", "empty"):
        return _("The first line must name the columns; one must be “id”.")
    if "Parquet" in detail:
        return _("This is not a Parquet file.")
    if "UTF-8" in detail:
        return _("The file is neither UTF-8 nor GB18030.")
    return _("The row is not valid: %(detail)s") % {"detail": detail}


def _explain_rejection(row: RejectedRow) -> str:
    if row.error.code != UNREADABLE_ROW:
        return translate_field_error(row.error)
    # msgspec and float() name the field only in their English message, so that is what decides.
    detail = row.error.detail
    if "`id`" in detail or "$.id" in detail:
        return _("The id is missing or too long.")
    if "could not convert string to float" in detail or "$.price" in detail:
        return _("The price is not a number of at least 0.")
    if detail.startswith("available"):
        return _("“available” is neither yes nor no.")
    return _("The row is not valid: %(detail)s") % {"detail": detail}
