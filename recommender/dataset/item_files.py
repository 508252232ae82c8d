"""Item texts from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recommender.dataset.item_text import join_text_fields
from recommender.dataset.table_files import read_table
from recommender.types import DataError

TEXT_COLUMNS = ("title", "description", "categories", "price")


def read_item_texts(path: Path) -> dict[str, str]:
    """Text by item id, from CSV/Parquet with item_id and any of title, description, categories, price,
    or JSON {item: [attribute, ...]}. categories: a list, a JSON list, or names between ">", "/" or "|"."""
    if path.suffix.lower() == ".json":
        return _read_json_texts(path)
    if path.suffix.lower() not in {".csv", ".parquet"}:
        raise DataError(f"{path.name} must be a .csv, .parquet or .json file.")
    frame = read_table(path)
    if "item_id" not in frame.columns:
        raise DataError(f"{path.name} lacks the column item_id; it has {', '.join(frame.columns)}.")
    if not any(name in frame.columns for name in TEXT_COLUMNS):
        raise DataError(f"{path.name} has none of the columns {', '.join(TEXT_COLUMNS)}.")
    texts: dict[str, str] = {}
    columns = [name for name in ("item_id", *TEXT_COLUMNS) if name in frame.columns]
    for number, row in enumerate(frame.select(columns).iter_rows(named=True), start=1):
        name = row["item_id"]
        if name is None or name == "":
            raise DataError(f"{path.name}, row {number}: item_id is empty.")
        if str(name) in texts:
            raise DataError(f"{path.name}, row {number}: item {str(name)!r} is there twice.")
        texts[str(name)] = _build_row_text(row)
    return texts


def read_item_categories(path: Path) -> dict[str, list[str]]:
    """Names of each item's categories, the narrowest last, from a file as for read_item_texts with categories."""
    frame = read_table(path)
    for name in ("item_id", "categories"):
        if name not in frame.columns:
            raise DataError(f"{path.name} lacks the column {name}; it has {', '.join(frame.columns)}.")
    rows = frame.select("item_id", "categories").iter_rows()
    return {str(name): parse_category_path(path_) for name, path_ in rows}


def _build_row_text(row: dict[str, Any]) -> str:
    return join_text_fields(
        title=str(row.get("title") or ""),
        description=str(row.get("description") or ""),
        categories=parse_category_path(row.get("categories")),
    )


def parse_category_path(value: object) -> list[str]:
    """Names of a category path, widest first; of several paths all distinct names in order."""
    if value is None:
        return []
    if isinstance(value, str):
        stripped = value.strip()
        if stripped.startswith("["):
            try:
                return parse_category_path(json.loads(stripped))
            except json.JSONDecodeError:
                return [stripped]
        for mark in (">", "|", "/"):
            if mark in stripped:
                return [part.strip() for part in stripped.split(mark) if part.strip()]
        return [stripped] if stripped else []
    if isinstance(value, list | tuple):
        return list(dict.fromkeys(name for part in value for name in _split_category(part)))
    return [str(value)]


def _split_category(part: object) -> list[str]:
    """A name stays whole, even with a mark inside ("Hair Care / Styling"); an inner list is a path."""
    return (
        [part.strip()]
        if isinstance(part, str) and part.strip()
        else ([] if isinstance(part, str) else parse_category_path(part))
    )


def _read_json_texts(path: Path) -> dict[str, str]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise DataError(f"{path} cannot be read: {fault.strerror}.") from fault
    except ValueError as fault:
        raise DataError(f"{path.name} is not JSON: {fault}.") from fault
    if not isinstance(loaded, dict):
        raise DataError(f"{path.name} must hold one object, {{item: [attribute, ...]}}.")
    for name, attributes in loaded.items():
        if not isinstance(attributes, list):
            raise DataError(f"{path.name}: item {name!r} must have a list of attributes.")
    return {name: join_text_fields(tags=[str(a) for a in attributes]) for name, attributes in loaded.items()}
