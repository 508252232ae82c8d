"""An uploaded file as items: CSV or TSV (UTF-8 or GB18030), JSON lines, or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl
from django.utils.translation import gettext as _

from tenants.data.types import ItemInput
from tenants.errors import Invalid, TooLarge

MAX_ROWS = 200_000
_NAMES = {"item_id": "id", "sku": "id", "name": "title", "category": "categories", "image": "image_url"}
_FIELDS = frozenset(ItemInput.__struct_fields__)
_LISTS, _NUMBERS = ("categories", "tags"), ("price",)
_TRUE, _FALSE = {"true", "1", "yes", "y", "是"}, {"false", "0", "no", "n", "否"}


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken; `number` counts as a spreadsheet does, from 1 with the header."""

    number: int
    reason: str
    row: str


@dataclass(slots=True)
class Parsed:
    """`numbers[i]` is the row of `items[i]` in the file, `sources[i]` the row as it stood there."""

    items: list[ItemInput] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def parse(name: str, content: bytes) -> Parsed:
    """Raises Invalid for a file that can't be read at all, TooLarge above 200,000 rows."""
    parsed = Parsed()
    for number, row in _rows(name.lower(), content):
        if number > MAX_ROWS + 1:
            raise TooLarge(f"A file has at most {MAX_ROWS} rows.")
        source = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False, default=str)
        try:
            parsed.items.append(_item(row))
            parsed.numbers.append(number)
            parsed.sources.append(source)
        except ValueError as error:  # msgspec's ValidationError is one
            parsed.rejected.append(Rejected(number, _reason(str(error)), source))
    return parsed


def _rows(name: str, content: bytes) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    if name.endswith((".jsonl", ".ndjson")):
        lines = _text(content).splitlines()
        return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    if name.endswith(".parquet"):
        return enumerate(_parquet(content), start=1)
    if name.endswith((".csv", ".tsv", ".txt")):
        return enumerate(_csv(_text(content)), start=2)
    raise Invalid.at("/file", "unsupported_file", _("Send a CSV, JSONL or Parquet file."))


def _csv(text: str) -> Iterable[Mapping[str, Any]]:
    head = text[:4096].partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    names = {_NAMES.get(name, name) for name in reader.fieldnames or ()}
    if "id" not in names:
        raise Invalid.at(
            "/file", "no_id_column", _("The first line must name the columns; one must be “id”.")
        )
    return reader


def _parquet(content: bytes) -> Iterable[Mapping[str, Any]]:
    try:
        return pl.read_parquet(io.BytesIO(content)).iter_rows(named=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Invalid.at("/file", "unreadable", _("This is not a Parquet file.")) from error


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid.at("/file", "unreadable", _("The file is neither UTF-8 nor GB18030."))


def _item(row: Mapping[str, Any] | str) -> ItemInput:
    """Raises ValueError."""
    if isinstance(row, str):
        return msgspec.json.decode(row.encode(), type=ItemInput)
    values: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for given, value in row.items():
        name = _NAMES.get(given, given)
        if value is None or value == "" or name is None:
            continue
        if name in _FIELDS and name != "attributes":
            values[name] = _value(name, value)
        elif name == "attributes":
            attributes.update(json.loads(value) if isinstance(value, str) else value)
        else:
            attributes[name] = value if isinstance(value, str | int | float | bool) else str(value)
    return msgspec.convert({**values, "attributes": attributes}, ItemInput)


def _value(name: str, value: Any) -> Any:
    if name in _LISTS and isinstance(value, str):
        return [part.strip() for part in value.replace(";", "|").split("|") if part.strip()]
    if name in _NUMBERS and isinstance(value, str):
        return float(value)
    if name == "available" and isinstance(value, str):
        return _truth(value)
    return str(value) if name in ("id", "title", "brand") else value


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"available: {text!r}")
    return word in _TRUE


def _reason(detail: str) -> str:
    """The parser's own words behind a sentence in the reader's language."""
    if "`id`" in detail or "$.id" in detail:
        return _("The id is missing or too long.")
    if "could not convert string to float" in detail or "$.price" in detail:
        return _("The price is not a number of at least 0.")
    if detail.startswith("available"):
        return _("“available” is neither yes nor no.")
    return _("The row does not fit: %(detail)s") % {"detail": detail}
