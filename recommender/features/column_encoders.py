"""Encoders of single features as columns of numbers. Each is fitted on training rows and stores what it has learned."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
from scipy import sparse

from recommender.features.specification import FeatureKind
from recommender.features.tfidf import TfidfVectorizer
from recommender.types import Float32Array, Float64Array, compute_indptr
from tenants.common.time_units import DAY_MS

ColumnValues = Sequence[object]
ScalingMethod = Literal["standard", "min-max"]
# Larger numbers count as missing: squares and sums of them would exceed float32.
MAX_ABSOLUTE_NUMBER = 1e30
DAYS_PER_YEAR = 365.2425


@dataclass(frozen=True, slots=True)
class EncodingConfig:
    """Settings of all encoders.

    scaling: of numbers; "standard" is the z-score, "min-max" the range 0 to 1.
    min_rows: training rows that a category, tag or word needs to become a column.
    max_values: columns of a categorical or multi-label feature; the most frequent values are kept.
    max_terms: columns of a text feature.
    """

    scaling: ScalingMethod = "standard"
    min_rows: int = 1
    max_values: int = 1_000
    max_terms: int = 10_000


class ColumnEncoder(Protocol):
    """A fitted encoder of one feature."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Suffixes of the column names."""

    @property
    def discrete(self) -> bool:
        """Whether all columns hold only zeros and ones."""

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        """float32 CSR (rows, len(columns)), finite for any values."""


@dataclass(frozen=True, slots=True)
class CategoricalEncoder:
    """One-hot encoding; the last two columns are for an unknown category and for a missing value."""

    vocabulary: Mapping[str, int]
    discrete: bool = True

    @classmethod
    def fit(cls, values: ColumnValues, config: EncodingConfig) -> CategoricalEncoder:
        """Learns the most frequent categories."""
        texts = [_to_text(value) for value in values]
        return cls(_build_vocabulary(([text] for text in texts if text), config))

    @property
    def columns(self) -> tuple[str, ...]:
        """The suffix "=category" for each category, then " other" and " missing"."""
        categories = [f"={name}" for name in self.vocabulary]
        return (*categories, " other", " missing")

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        """One 1 in each row."""
        other_column = len(self.vocabulary)
        missing_column = other_column + 1
        rows = []
        for value in values:
            text = _to_text(value)
            column = self.vocabulary.get(text, other_column) if text else missing_column
            rows.append([column])
        return _encode_multi_hot(rows, missing_column + 1)


@dataclass(frozen=True, slots=True)
class MultiLabelEncoder:
    """Multi-hot encoding of a list of tags; unknown tags are ignored."""

    vocabulary: Mapping[str, int]
    discrete: bool = True

    @classmethod
    def fit(cls, values: ColumnValues, config: EncodingConfig) -> MultiLabelEncoder:
        """Learns the most frequent tags."""
        return cls(_build_vocabulary(map(_to_labels, values), config))

    @property
    def columns(self) -> tuple[str, ...]:
        """The suffix "=tag" for each tag."""
        return tuple(f"={name}" for name in self.vocabulary)

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        """A 1 for each known tag of a row."""
        rows = []
        for value in values:
            rows.append([self.vocabulary[label] for label in _to_labels(value) if label in self.vocabulary])
        return _encode_multi_hot(rows, len(self.vocabulary))


@dataclass(frozen=True, slots=True)
class NumericEncoder:
    """(value - centre) / scale, and a column that marks missing values (None, no number, NaN, infinite).

    With "standard" scaling, training rows have mean 0 and variance 1. With "min-max" they have the range 0 to 1, and
    other values are clipped to it. A missing value is replaced by the training median. A constant becomes zero.
    """

    centre: float
    scale: float
    fill_value: float
    clip_bounds: tuple[float, float]
    discrete: bool = False

    @classmethod
    def fit(cls, values: ColumnValues, config: EncodingConfig) -> NumericEncoder:
        """Learns centre, scale and median of the values that are not missing."""
        unbounded = (-math.inf, math.inf)
        numbers = _to_floats(values)
        numbers = numbers[np.isfinite(numbers)]
        if not numbers.size:
            return cls(0.0, 0.0, 0.0, unbounded)
        low, high, median = float(numbers.min()), float(numbers.max()), float(np.median(numbers))
        if low == high:
            return cls(low, 0.0, low, unbounded)
        if config.scaling == "min-max":
            return cls(low, high - low, median, (0.0, 1.0))
        return cls(float(numbers.mean()), float(numbers.std()), median, unbounded)

    @property
    def columns(self) -> tuple[str, ...]:
        """No suffix for the number, and " missing"."""
        return ("", " missing")

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        """The scaled numbers, and 1 where the value is missing."""
        numbers = _to_floats(values)
        is_missing = ~np.isfinite(numbers)
        filled = np.where(is_missing, self.fill_value, numbers)
        scaled = np.zeros_like(filled)
        if self.scale:
            scaled = (filled - self.centre) / self.scale
        return _to_csr(np.column_stack([np.clip(scaled, *self.clip_bounds), is_missing]))


@dataclass(frozen=True, slots=True)
class CyclicalTimeEncoder:
    """Hour of the day, day of the week and day of the year in UTC as points on a circle (sine and cosine).

    In this encoding 23:00 is close to 00:00. Values are datetimes with a time zone, or milliseconds since 1970; a further
    column marks missing values.
    """

    discrete: bool = False

    @classmethod
    def fit(cls, _values: ColumnValues, _config: EncodingConfig) -> CyclicalTimeEncoder:
        """Learns nothing: the cycles are fixed."""
        return cls()

    @property
    def columns(self) -> tuple[str, ...]:
        """Sine and cosine of " hour", " weekday" and " season", then " missing"."""
        return (
            " hour sin", " hour cos", " weekday sin", " weekday cos", " season sin", " season cos", " missing",
        )  # fmt: skip

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        """Sines and cosines, zero for missing values, and 1 where the value is missing."""
        days = _to_floats([_to_epoch_ms(value) for value in values]) / DAY_MS
        is_missing = ~np.isfinite(days)
        days = np.where(is_missing, 0.0, days)
        hour = days % 1
        # 1970 began on a Thursday, three days after Monday.
        weekday = (np.floor(days) + 3) % 7 / 7
        season = days % DAYS_PER_YEAR / DAYS_PER_YEAR
        columns = []
        for turns in (hour, weekday, season):
            angle = 2 * np.pi * turns
            columns.append(np.sin(angle) * ~is_missing)
            columns.append(np.cos(angle) * ~is_missing)
        return _to_csr(np.column_stack([*columns, is_missing]))


@dataclass(frozen=True, slots=True)
class TfidfTextEncoder:
    """TF-IDF of words, by `recommender.features.tfidf`."""

    vectorizer: TfidfVectorizer
    discrete: bool = False

    @classmethod
    def fit(cls, values: ColumnValues, config: EncodingConfig) -> TfidfTextEncoder:
        """Learns vocabulary and weights."""
        texts = [_to_text(value) for value in values]
        return cls(TfidfVectorizer.fit(texts, min_items=config.min_rows, max_terms=config.max_terms))

    @property
    def columns(self) -> tuple[str, ...]:
        """The suffix "~term" for each term."""
        return tuple(f"~{term}" for term in self.vectorizer.vocabulary)

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        """Rows of length one; zero for texts without a known term."""
        return self.vectorizer.transform([_to_text(value) for value in values])


ENCODER_FITTERS: Mapping[FeatureKind, Callable[[ColumnValues, EncodingConfig], ColumnEncoder]] = {
    "categorical": CategoricalEncoder.fit,
    "numeric": NumericEncoder.fit,
    "time": CyclicalTimeEncoder.fit,
    "tags": MultiLabelEncoder.fit,
    "text": TfidfTextEncoder.fit,
}


def _to_text(value: object) -> str:
    """The stripped text; "" for a missing value (None or NaN)."""
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return ""
    return str(value).strip()


def _to_labels(value: object) -> list[str]:
    """Sorted distinct labels of a list, or of a single value."""
    values = value if isinstance(value, list | tuple | set | frozenset) else [value]
    labels = {_to_text(element) for element in values}
    return sorted(labels - {""})


def _to_floats(values: ColumnValues) -> Float64Array:
    """Numbers as float64 (rows,), NaN for missing values and for numbers that are too large for float32."""
    numbers = np.array([_parse_number(value) for value in values], dtype=np.float64)
    return np.where(np.abs(numbers) <= MAX_ABSOLUTE_NUMBER, numbers, np.nan)


def _parse_number(value: object) -> float:
    try:
        return float(value) if isinstance(value, str | int | float | np.generic) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def _to_epoch_ms(value: object) -> object:
    """Milliseconds of a datetime; a datetime without time zone is missing."""
    if isinstance(value, datetime):
        return value.timestamp() * 1000 if value.tzinfo else None
    return value


def _build_vocabulary(rows: Iterable[list[str]], config: EncodingConfig) -> dict[str, int]:
    """Column by label for the most frequent labels; ties are ordered by the label."""
    counts: Counter[str] = Counter()
    for labels in rows:
        counts.update(labels)
    frequent = [label for label, count in counts.items() if count >= config.min_rows]
    frequent.sort(key=lambda label: (-counts[label], label))
    return {label: column for column, label in enumerate(frequent[: config.max_values])}


def _encode_multi_hot(rows: list[list[int]], n_columns: int) -> sparse.csr_matrix:
    """A CSR matrix with 1 at the columns of each row."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    columns = np.array([column for row in rows for column in row], dtype=np.int32)
    values = np.ones(len(columns), np.float32)
    return sparse.csr_matrix((values, columns, compute_indptr(lengths)), shape=(len(rows), n_columns))


def _to_csr(values: Float64Array) -> sparse.csr_matrix:
    limit = float(np.finfo(np.float32).max)
    block: Float32Array = np.clip(values, -limit, limit).astype(np.float32)
    return sparse.csr_matrix(block)
