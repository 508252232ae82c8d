"""CSV downloads, safe against formula injection in spreadsheets (OWASP, "CSV Injection")."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from django.http import HttpResponse

_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n")


def escape_formula(cell: object) -> str:
    """Returns the text of a cell, with an apostrophe before a text that a spreadsheet would execute as a formula.

    Numbers are returned unchanged, because a negative number starts with a minus sign too.
    """
    if cell is None:
        return ""
    text = str(cell)
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    # Spreadsheets ignore spaces before a formula.
    if is_number or not text.lstrip(" ").startswith(_FORMULA_PREFIXES):
        return text
    return f"'{text}"


def format_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a table as CSV with escaped formulas."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([escape_formula(cell) for cell in header])
    for row in rows:
        writer.writerow([escape_formula(cell) for cell in row])
    return out.getvalue()


def build_csv_response(name: str, text: str) -> HttpResponse:
    """Returns a download `name`.csv. It starts with a byte order mark, by which spreadsheets detect UTF-8."""
    response = HttpResponse("\ufeff" + text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
