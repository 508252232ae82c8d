"""Reads texts and categories of items from files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recommender.dataset.item_text import join_text_fields
from recommender.dataset.table_files import read_table, require_columns
from recommender.types import DataError

TEXT_COLUMNS = ("title", "description", "categories", "price")
# Separators of a category path, most specific first.
PATH_SEPARATORS = (">", "|", "/")


def read_item_texts(path: Path) -> dict[str, str]:
    """Text by item id.

    The file is CSV or Parquet with item_id and any of title, description, categories and price, or JSON
    {item: [attribute, ...]}. categories is a list, a JSON list, or names separated by ">", "/" or "|".

    Raises:
        DataError: the file cannot be read, a column is missing, or an item is empty or occurs twice.
    """
    if path.suffix.lower() == ".json":
        return _read_json_texts(path)
    if path.suffix.lower() not in {".csv", ".parquet"}:
        raise DataError(f"{path.name} must be a .csv, .parquet or .json file.")
    frame = read_table(path)
    require_columns(path, frame, ("item_id",))
    columns = [name for name in TEXT_COLUMNS if name in frame.columns]
    if not columns:
        raise DataError(f"{path.name} has none of the columns {', '.join(TEXT_COLUMNS)}.")
    texts: dict[str, str] = {}
    for number, row in enumerate(frame.select(["item_id", *columns]).iter_rows(named=True), start=1):
        # An id of 0 in a numeric column is not empty.
        if row["item_id"] is None or row["item_id"] == "":
            raise DataError(f"{path.name}, row {number}: item_id is empty.")
        item_id = str(row["item_id"])
        if item_id in texts:
            raise DataError(f"{path.name}, row {number}: item {item_id!r} occurs twice.")
        texts[item_id] = _build_row_text(row)
    return texts


def read_item_categories(path: Path) -> dict[str, list[str]]:
    """Category path by item id, widest category first, from a file as for `read_item_texts`. Raises DataError."""
    frame = read_table(path)
    require_columns(path, frame, ("item_id", "categories"))
    rows = frame.select("item_id", "categories").iter_rows()
    return {str(item_id): parse_category_path(categories) for item_id, categories in rows}


def _build_row_text(row: Mapping[str, Any]) -> str:
    return join_text_fields(
        title=str(row.get("title") or ""),
        description=str(row.get("description") or ""),
        categories=parse_category_path(row.get("categories")),
    )


def parse_category_path(value: object) -> list[str]:
    """Names of a category path, widest first; of several paths, all distinct names in order of appearance."""
    if value is None:
        return []
    if isinstance(value, str):
        return _parse_category_text(value.strip())
    if isinstance(value, list | tuple):
        names: list[str] = []
        for element in value:
            names += _split_category(element)
        # Distinct names in order of appearance.
        return list(dict.fromkeys(names))
    return [str(value)]


def _parse_category_text(text: str) -> list[str]:
    """A JSON list, or names with one of the separators between."""
    if text.startswith("["):
        try:
            return parse_category_path(json.loads(text))
        except json.JSONDecodeError:
            return [text]
    for separator in PATH_SEPARATORS:
        if separator in text:
            names = [name.strip() for name in text.split(separator)]
            return [name for name in names if name]
    return [text] if text else []


def _split_category(element: object) -> list[str]:
    """A name in a list is not split, even with a separator inside ("Hair Care / Styling"); an inner list is a path."""
    if not isinstance(element, str):
        return parse_category_path(element)
    name = element.strip()
    return [name] if name else []


def _read_json_texts(path: Path) -> dict[str, str]:
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise DataError(f"{path.name} is not JSON: {error}.") from error
    if not isinstance(items, dict):
        raise DataError(f"{path.name} must hold one object, {{item: [attribute, ...]}}.")
    texts = {}
    for item_id, attributes in items.items():
        if not isinstance(attributes, list):
            raise DataError(f"{path.name}: item {item_id!r} must have a list of attributes.")
        texts[item_id] = join_text_fields(tags=[str(attribute) for attribute in attributes])
    return texts
