"""Parses an uploaded file into items. Invalid rows are reported in the reader's language."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
from django.utils.translation import gettext as _

from lepton_platform.imports import mapping
from lepton_platform.imports.parsers import FileRow, read_rows
from tenants.data.types import ItemInput
from tenants.errors import Invalid, TooLarge

MAX_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class RejectedUploadRow:
    """A rejected row. `number` counts rows as a spreadsheet does: from 1, including the header."""

    number: int
    reason: str
    row: str


@dataclass(slots=True)
class ParsedUpload:
    """The parsed items. `row_numbers[i]` is the row of `items[i]` in the file, `raw_rows[i]` its original text."""

    items: list[ItemInput] = field(default_factory=list)
    row_numbers: list[int] = field(default_factory=list)
    raw_rows: list[str] = field(default_factory=list)
    rejected: list[RejectedUploadRow] = field(default_factory=list)


def parse_upload(name: str, content: bytes) -> ParsedUpload:
    """Parses a CSV, JSONL or Parquet file.

    Args:
        name: The file name, whose extension decides on the format.
        content: The content of the file.

    Raises:
        Invalid: The file can't be read, or has no id column.
        TooLarge: The file has more than 200,000 rows.
    """
    parsed = ParsedUpload()
    try:
        for number, row in _validate_rows(read_rows(name, io.BytesIO(content))):
            _parse_row(parsed, number, row)
    except Invalid as error:
        (field_error,) = error.errors
        message = _explain_unreadable_file(field_error.code, field_error.detail)
        raise Invalid.from_field("/file", field_error.code, message) from error
    return parsed


def _validate_rows(numbered_rows: Iterator[tuple[int, FileRow]]) -> Iterator[tuple[int, FileRow]]:
    """Yields the rows unchanged. Raises Invalid for a table without an id column and TooLarge for too many rows."""
    # Files are read as a stream: a limit on the size of the upload does not limit what a Parquet file expands to.
    for count, (number, row) in enumerate(numbered_rows):
        if count == MAX_ROWS:
            raise TooLarge(f"A file has at most {MAX_ROWS} rows.")
        if count == 0 and isinstance(row, Mapping):
            names = {mapping.ITEM_COLUMNS.get(name, name) for name in row}
            if "id" not in names:
                raise Invalid.from_field("/file", "no_id_column", "One column must be “id”.")
        yield number, row


def _parse_row(parsed: ParsedUpload, number: int, row: FileRow) -> None:
    raw_row = _format_raw_row(row)
    try:
        parsed.items.append(mapping.parse_item(row))
    except (ValueError, msgspec.DecodeError) as error:
        parsed.rejected.append(
            RejectedUploadRow(number=number, reason=_explain_rejected_row(str(error)), row=raw_row)
        )
        return
    parsed.row_numbers.append(number)
    parsed.raw_rows.append(raw_row)


def _format_raw_row(row: FileRow) -> str:
    """Returns a row as it is shown to the user. JSONL rows are texts, rows of tables are mappings."""
    if isinstance(row, str):
        return row.strip()
    return json.dumps(row, ensure_ascii=False, default=str)


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


def _explain_rejected_row(detail: str) -> str:
    """Translates the parser's message. Its messages have no codes, so known parts of the text are looked for."""
    if "`id`" in detail or "$.id" in detail:
        return _("The id is missing or too long.")
    if "could not convert string to float" in detail or "$.price" in detail:
        return _("The price is not a number of at least 0.")
    if detail.startswith("available"):
        return _("“available” is neither yes nor no.")
    return _("The row is not valid: %(detail)s") % {"detail": detail}
