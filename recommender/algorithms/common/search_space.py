"""Within which bounds a setting may be tuned; declared beside the settings of each member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from recommender.types import DataError


@dataclass(frozen=True)
class FloatRange:
    """A number from low to high; with `log` its ratios count, not its differences."""

    low: float
    high: float
    log: bool = False

    def contains(self, value: object) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= float(value) <= self.high  # type: ignore[arg-type]


@dataclass(frozen=True)
class IntRange:
    """A whole number from low to high, both included."""

    low: int
    high: int
    log: bool = False

    def contains(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


SearchSpace = Mapping[str, FloatRange | IntRange]


def get_search_spaces(config_type: type[Any]) -> tuple[SearchSpace, SearchSpace]:
    """`inference_space` and `training_space` of a config; both empty where nothing is declared.

    Settings of the first are read when histories are scored, so that one fitted model serves to try them all.
    Raises DataError for a range of a setting that does not exist."""
    scoring: SearchSpace = getattr(config_type, "inference_space", {})
    learning: SearchSpace = getattr(config_type, "training_space", {})
    known = {field.name for field in fields(config_type)}
    for name in (*scoring, *learning):
        if name not in known:
            raise DataError(f"{config_type.__name__} has a range for {name!r}, which is no setting of it.")
    return scoring, learning


def filter_valid_overrides(config_type: type[Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `changes` that this version may still set; what was tuned once may have another name or range now."""
    scoring, learning = get_search_spaces(config_type)
    ranges = {**scoring, **learning}
    return {
        name: value for name, value in overrides.items() if name in ranges and ranges[name].contains(value)
    }
