"""Tables to take away: CSV that a spreadsheet can't be made to execute."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from django.http import HttpResponse

_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n")


def escape_formula(cell: object) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe; numbers stay numbers."""
    text = "" if cell is None else str(cell)
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    return text if is_number or not text.lstrip(" ").startswith(_FORMULA_PREFIXES) else f"'{text}"


def format_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([escape_formula(cell) for cell in header])
    writer.writerows([[escape_formula(cell) for cell in row] for row in rows])
    return out.getvalue()


def build_csv_response(name: str, text: str) -> HttpResponse:
    """With a byte order mark, by which spreadsheets recognise UTF-8."""
    response = HttpResponse("\ufeff" + text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
