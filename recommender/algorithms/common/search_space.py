"""Ranges of hyper-parameters that a search may try; each config declares its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from recommender.types import DataError


@dataclass(frozen=True)
class FloatRange:
    """A number from `low` to `high`, both included; with `log` it is sampled on a logarithmic scale."""

    low: float
    high: float
    log: bool = False

    def contains(self, value: object) -> bool:
        """Whether the value is a number (not a bool) within the range."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= float(value) <= self.high  # type: ignore[arg-type]


@dataclass(frozen=True)
class IntRange:
    """A whole number from `low` to `high`, both included; with `log` it is sampled on a logarithmic scale."""

    low: int
    high: int
    log: bool = False

    def contains(self, value: object) -> bool:
        """Whether the value is a whole number (not a bool) within the range."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


SearchSpace = Mapping[str, FloatRange | IntRange]


def get_search_spaces(config_type: type[Any]) -> tuple[SearchSpace, SearchSpace]:
    """Returns `inference_space` and `training_space` of a config class; empty where none is declared.

    Parameters of the inference space are read when histories are scored, so one fitted model serves for all their
    values. A value of the training space needs a new fit.

    Raises:
        DataError: A range is declared for a parameter that the config does not have.
    """
    inference_space: SearchSpace = getattr(config_type, "inference_space", {})
    training_space: SearchSpace = getattr(config_type, "training_space", {})
    parameters = {field.name for field in fields(config_type)}
    for name in (*inference_space, *training_space):
        if name not in parameters:
            raise DataError(
                f"{config_type.__name__} declares a range for {name!r}, which is not one of its parameters."
            )
    return inference_space, training_space


def filter_valid_overrides(
    config_type: type[Any],
    overrides: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the overrides that this version still accepts.

    Stored results of earlier searches may name parameters or hold values that the search space no longer contains.
    """
    inference_space, training_space = get_search_spaces(config_type)
    ranges = {**inference_space, **training_space}
    valid = {}
    for name, value in overrides.items():
        if name in ranges and ranges[name].contains(value):
            valid[name] = value
    return valid
