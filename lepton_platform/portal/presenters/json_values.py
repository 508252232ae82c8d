"""Typed access to stored JSON, whose keys may be absent: a version has only the metrics that its training measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def get_mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Returns the object at `name`, or an empty one if there is none."""
    value = values.get(name)
    return value if isinstance(value, Mapping) else {}


def get_number(values: Mapping[str, Any], name: str) -> float | None:
    """Returns the number at `name`, or None if there is none."""
    value = values.get(name)
    return float(value) if isinstance(value, int | float) else None
