"""Converts a row of a file into an item or an event. Common column names are accepted as synonyms."""

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
    """Converts a row (mapping, or a JSON line) to an item. Unknown columns become attributes.

    Raises ValueError (of which msgspec's errors are subclasses) for the first value that does not fit.
    """
    if isinstance(row, str):
        return msgspec.json.decode(row.encode(), type=ItemInput)
    values: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for name, value in _normalize_columns(row, ITEM_COLUMNS):
        if name == "attributes":
            # A CSV cell holds a JSON object, a Parquet struct is a mapping already.
            parsed = json.loads(value) if isinstance(value, str) else value
            attributes.update(parsed)
        elif name in _ITEM_FIELDS:
            values[name] = _convert_value(name, value)
        elif isinstance(value, str | int | float | bool):
            attributes[name] = value
        else:
            attributes[name] = str(value)
    return msgspec.convert({**values, "attributes": attributes}, ItemInput)


def parse_event(row: FileRow, *, default_kind: str = "view") -> EventInput:
    """Converts a row (mapping, or a JSON line) to an event.

    Args:
        row: times are RFC 3339, or Unix seconds or milliseconds.
        default_kind: the kind of a mapping without one.

    Raises:
        ValueError: a value does not fit, or a column is unknown.
    """
    if isinstance(row, str):
        return msgspec.json.decode(row.encode(), type=EventInput)
    values: dict[str, Any] = {"kind": default_kind}
    for name, value in _normalize_columns(row, EVENT_COLUMNS):
        if name not in _EVENT_FIELDS:
            raise ValueError(f"There is no event field called {name!r}.")
        if name == "at":
            values[name] = _parse_time(value)
        else:
            values[name] = _convert_value(name, value)
    return msgspec.convert(values, EventInput)


def _normalize_columns(row: Mapping[str, Any], synonyms: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Non-empty cells with the names of the API's fields."""
    # csv.DictReader collects surplus cells under the key None.
    if None in row:
        raise ValueError("The row has more columns than the first line names.")
    cells = []
    for name, value in row.items():
        if value is not None and value != "":
            cells.append((synonyms.get(name, name), value))
    return cells


def _convert_value(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return _TEXT_PARSERS.get(name, str)(value)
    # Parquet may hold ids as numbers.
    if name in ("id", "item_id", "profile_id", "title", "brand"):
        return str(value)
    return value


def _split_list(text: str) -> list[str]:
    return [entry.strip() for entry in text.replace(";", "|").split("|") if entry.strip()]


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
        return _assume_utc(value)
    number = _parse_number(value)
    if number is not None:
        # 1e11 seconds is the year 5138, 1e11 milliseconds is March 1973.
        seconds = number / 1000 if abs(number) > 1e11 else number
        return datetime.fromtimestamp(seconds, UTC)
    return _assume_utc(datetime.fromisoformat(str(value)))


def _assume_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        return time.replace(tzinfo=UTC)
    return time


def _parse_number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
