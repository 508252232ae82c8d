"""From a row of a file to an item or an event. Usual column names are understood; other columns are attributes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from lepton_platform.imports.parsers import FileRow
from tenants.data.types import EventInput, ItemInput

ITEM_COLUMNS = {
    "item_id": "id",
    "sku": "id",
    "asin": "id",
    "name": "title",
    "category": "categories",
    "image": "image_url",
}
EVENT_COLUMNS = {
    "user_id": "profile_id",
    "user": "profile_id",
    "item": "item_id",
    "event": "kind",
    "event_type": "kind",
    "timestamp": "at",
    "time": "at",
    "rating": "value",
    "event_id": "id",
}
_ITEM_FIELDS = frozenset(ItemInput.__struct_fields__) - {"attributes"}
_EVENT_FIELDS = frozenset(EventInput.__struct_fields__)
_TRUE, _FALSE = {"true", "1", "yes", "y", "是"}, {"false", "0", "no", "n", "否"}


def parse_item(row: FileRow) -> ItemInput:
    """Raises ValueError with a sentence about the first thing that does not fit."""
    if isinstance(row, str):
        return msgspec.json.decode(row.encode(), type=ItemInput)
    values: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for name, value in _normalize_columns(row, ITEM_COLUMNS):
        if name == "attributes":
            attributes.update(json.loads(value) if isinstance(value, str) else value)
        elif name in _ITEM_FIELDS:
            values[name] = _convert_value(name, value)
        else:
            attributes[name] = value if isinstance(value, str | int | float | bool) else str(value)
    return msgspec.convert({**values, "attributes": attributes}, ItemInput)


def parse_event(row: FileRow, *, default_kind: str = "view") -> EventInput:
    """Raises ValueError. Times are RFC 3339, or Unix seconds or milliseconds; unknown columns are an error."""
    if isinstance(row, str):
        return msgspec.json.decode(row.encode(), type=EventInput)
    values: dict[str, Any] = {"kind": default_kind}
    for name, value in _normalize_columns(row, EVENT_COLUMNS):
        if name not in _EVENT_FIELDS:
            raise ValueError(f"There is no event field called {name!r}.")
        values[name] = _parse_time(value) if name == "at" else _convert_value(name, value)
    return msgspec.convert(values, EventInput)


def _normalize_columns(row: Mapping[str, Any], synonyms: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Columns that hold something, under our names."""
    if None in row:
        raise ValueError("The row has more columns than the first line names.")
    return [
        (synonyms.get(name, name), value) for name, value in row.items() if value is not None and value != ""
    ]


def _convert_value(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return _TEXT_PARSERS.get(name, str)(value)
    return str(value) if name in ("id", "item_id", "profile_id", "title", "brand") else value


def _split_list(text: str) -> list[str]:
    return [part.strip() for part in text.replace(";", "|").split("|") if part.strip()]


def _parse_bool(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"available is neither yes nor no: {text!r}")
    return word in _TRUE


_TEXT_PARSERS: dict[str, Callable[[str], Any]] = {
    "categories": _split_list,
    "tags": _split_list,
    "price": float,
    "value": float,
    "quantity": float,
    "available": _parse_bool,
}


def _parse_time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    number = _parse_number(value)
    if number is not None:
        return datetime.fromtimestamp(number / 1000 if abs(number) > 1e11 else number, UTC)
    parsed = datetime.fromisoformat(str(value))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _parse_number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
