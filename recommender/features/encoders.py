"""Facts as columns of numbers. Every encoder learns from training rows only and never from what it transforms."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
from scipy import sparse

from common.time_units import DAY_MS
from recommender.features.specification import Feature, FeatureKind, FeatureRole, FeatureSpecification
from recommender.features.tfidf import TfidfVectorizer
from recommender.types import DataError, Float32Array, Float64Array, Int64Array

ColumnValues = Sequence[object]
FeatureTable = Mapping[str, ColumnValues]
"""Columns of facts by name; a column that is not there is missing in every row."""
ScalingMethod = Literal["standard", "min-max"]


@dataclass(frozen=True, slots=True)
class EncodingConfig:
    """`scaling` of numbers. A category or tag becomes a column when at least `least_rows` training rows have it, the
    `most_values` most frequent of a feature at most; `most_terms` is that bound for words."""

    scaling: ScalingMethod = "standard"
    min_rows: int = 1
    max_values: int = 1_000
    max_terms: int = 10_000


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """values float32 csr (rows, columns); column j is called names[j] and comes from the feature origins[j].

    discrete[j]: the column holds nothing but zeros and ones."""

    values: sparse.csr_matrix
    names: tuple[str, ...]
    origins: tuple[str, ...]
    discrete: tuple[bool, ...]


class ColumnEncoder(Protocol):
    """`transform` gives float32 csr (rows, len(columns)), all finite, for whatever values come."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def discrete(self) -> bool: ...

    def transform(self, values: ColumnValues) -> sparse.csr_matrix: ...


@dataclass(frozen=True, slots=True)
class CategoricalEncoder:
    """One column for each known category; the last two are for a category not known, and for none."""

    vocabulary: Mapping[str, int]
    discrete: bool = True

    @classmethod
    def fit(cls, values: ColumnValues, config: EncodingConfig) -> CategoricalEncoder:
        return cls(_build_vocabulary(([text] for text in map(_to_text, values) if text), config))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*(f"={name}" for name in self.vocabulary), " other", " missing")

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        other, missing = len(self.vocabulary), len(self.vocabulary) + 1
        texts = [_to_text(value) for value in values]
        return _encode_multi_hot(
            [[self.vocabulary.get(text, other) if text else missing] for text in texts], missing + 1
        )


@dataclass(frozen=True, slots=True)
class MultiLabelEncoder:
    """One column for each known tag of a list; what is not known leaves no trace."""

    vocabulary: Mapping[str, int]
    discrete: bool = True

    @classmethod
    def fit(cls, values: ColumnValues, config: EncodingConfig) -> MultiLabelEncoder:
        return cls(_build_vocabulary(map(_to_labels, values), config))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"={name}" for name in self.vocabulary)

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        known = self.vocabulary
        return _encode_multi_hot(
            [[known[t] for t in _to_labels(row) if t in known] for row in values], len(known)
        )


@dataclass(frozen=True, slots=True)
class NumericEncoder:
    """(value - centre) / scale, and a column that marks what was missing (None, no number, NaN, infinite).

    standard: mean 0, variance 1 over training rows (z-score); min-max: 0 to 1, values outside of what was learned
    are cut off there. A missing value stands for the training median. A constant is all zeros."""

    centre: float
    scale: float
    fill_value: float
    clip_bounds: tuple[float, float]
    discrete: bool = False

    @classmethod
    def fit(cls, values: ColumnValues, config: EncodingConfig) -> NumericEncoder:
        given = _to_floats(values)
        found = given[np.isfinite(given)]
        if not found.size:
            return cls(0.0, 0.0, 0.0, (-math.inf, math.inf))
        low, high, filling = float(found.min()), float(found.max()), float(np.median(found))
        if low == high:
            return cls(low, 0.0, low, (-math.inf, math.inf))
        if config.scaling == "min-max":
            return cls(low, high - low, filling, (0.0, 1.0))
        return cls(float(found.mean()), float(found.std()), filling, (-math.inf, math.inf))

    @property
    def columns(self) -> tuple[str, ...]:
        return ("", " missing")

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        given = _to_floats(values)
        missing = ~np.isfinite(given)
        filled = np.where(missing, self.fill_value, given)
        scaled = (filled - self.centre) / self.scale if self.scale else np.zeros_like(filled)
        return _to_csr(np.column_stack([np.clip(scaled, *self.clip_bounds), missing]))


@dataclass(frozen=True, slots=True)
class CyclicalTimeEncoder:
    """Hour of the day and day of the week and of the year in UTC, each as a point on a circle (sine, cosine), so that
    23:00 lies beside 00:00; and a column that marks what was missing. Datetimes with a zone, or milliseconds since 1970.
    """

    discrete: bool = False

    @classmethod
    def fit(cls, _values: ColumnValues, _config: EncodingConfig) -> CyclicalTimeEncoder:
        return cls()

    @property
    def columns(self) -> tuple[str, ...]:
        turns = [f" {name} {wave}" for name in ("hour", "weekday", "season") for wave in ("sin", "cos")]
        return (*turns, " missing")

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        days = _to_floats([_to_epoch_ms(value) for value in values]) / DAY_MS
        missing = ~np.isfinite(days)
        days = np.where(missing, 0.0, days)
        # 1970 began on a Thursday; a year is 365.2425 days on average.
        turns = [days % 1, (np.floor(days) + 3) % 7 / 7, days % 365.2425 / 365.2425]
        waves = [wave(2 * np.pi * turn) * ~missing for turn in turns for wave in (np.sin, np.cos)]
        return _to_csr(np.column_stack([*waves, missing]))


@dataclass(frozen=True, slots=True)
class TfidfTextEncoder:
    """TF-IDF of `recommender.features.tfidf`."""

    vectorizer: TfidfVectorizer
    discrete: bool = False

    @classmethod
    def fit(cls, values: ColumnValues, config: EncodingConfig) -> TfidfTextEncoder:
        texts = [_to_text(value) for value in values]
        return cls(TfidfVectorizer.fit(texts, min_items=config.min_rows, max_terms=config.max_terms))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"~{term}" for term in self.vectorizer.vocabulary)

    def transform(self, values: ColumnValues) -> sparse.csr_matrix:
        return self.vectorizer.transform([_to_text(value) for value in values])


ENCODER_FITTERS: Mapping[FeatureKind, Callable[[ColumnValues, EncodingConfig], ColumnEncoder]] = {
    "categorical": CategoricalEncoder.fit,
    "numeric": NumericEncoder.fit,
    "time": CyclicalTimeEncoder.fit,
    "tags": MultiLabelEncoder.fit,
    "text": TfidfTextEncoder.fit,
}


@dataclass(frozen=True, slots=True)
class FeatureEncoder:
    """The encoders of one role's features. Columns of a table that are not in the specification are never read."""

    features: tuple[Feature, ...]
    encoders: tuple[ColumnEncoder, ...]

    @classmethod
    def fit(
        cls,
        specification: FeatureSpecification,
        role: FeatureRole,
        table: FeatureTable,
        rows: Int64Array,
        config: EncodingConfig | None = None,
    ) -> FeatureEncoder:
        """Learns from the given rows of the table (the training rows) and from no other."""
        features, chosen = specification.select_features(role), rows.tolist()
        size = _count_rows(table)
        if chosen and not 0 <= min(chosen) <= max(chosen) < size:
            raise DataError("A training row is outside the table.")
        made = []
        for feature in features:
            column = table.get(feature.name)
            values = [None if column is None else column[row] for row in chosen]
            made.append(ENCODER_FITTERS[feature.kind](values, config or EncodingConfig()))
        return cls(features, tuple(made))

    def transform(self, table: FeatureTable) -> FeatureMatrix:
        """All rows of a table, learned from or not."""
        size = _count_rows(table)
        parts, names, origins, discrete = [], [], [], []
        for feature, encoder in zip(self.features, self.encoders, strict=True):
            parts.append(encoder.transform(table.get(feature.name, [None] * size)))
            names += [f"{feature.name}{column}" for column in encoder.columns]
            origins += [feature.name] * len(encoder.columns)
            discrete += [encoder.discrete or column == " missing" for column in encoder.columns]
        stacked = sparse.hstack(parts, format="csr") if parts else sparse.csr_matrix((size, 0))
        return FeatureMatrix(
            sparse.csr_matrix(stacked, dtype=np.float32), tuple(names), tuple(origins), tuple(discrete)
        )


def _count_rows(table: FeatureTable) -> int:
    lengths = {len(column) for column in table.values()}
    if len(lengths) > 1:
        raise DataError("The columns of a table differ in length.")
    return lengths.pop() if lengths else 0


def _to_text(value: object) -> str:
    """ "" for what is missing: None, NaN, nothing but spaces."""
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return ""
    return str(value).strip()


def _to_labels(value: object) -> list[str]:
    listed = value if isinstance(value, list | tuple | set | frozenset) else [value]
    return sorted({text for text in map(_to_text, listed) if text})


def _to_floats(values: ColumnValues) -> Float64Array:
    """NaN for whatever is no number that float32 can hold with room to spare."""
    numbers = np.array([_parse_number(value) for value in values], dtype=np.float64)
    return np.where(np.abs(numbers) <= 1e30, numbers, np.nan)


def _parse_number(value: object) -> float:
    try:
        return float(value) if isinstance(value, str | int | float | np.generic) else math.nan
    except (ValueError, OverflowError):
        return math.nan


def _to_epoch_ms(value: object) -> object:
    if isinstance(value, datetime):
        return value.timestamp() * 1000 if value.tzinfo else None
    return value


def _build_vocabulary(rows: Iterable[list[str]], config: EncodingConfig) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for labels in rows:
        counts.update(labels)
    often = sorted((t for t, n in counts.items() if n >= config.min_rows), key=lambda t: (-counts[t], t))
    return {text: number for number, text in enumerate(often[: config.max_values])}


def _encode_multi_hot(columns: list[list[int]], n_columns: int) -> sparse.csr_matrix:
    indptr = np.cumsum([0, *(len(row) for row in columns)])
    flat = np.array([column for row in columns for column in row], dtype=np.int32)
    return sparse.csr_matrix((np.ones(len(flat), np.float32), flat, indptr), shape=(len(columns), n_columns))


def _to_csr(values: Float64Array) -> sparse.csr_matrix:
    limit = float(np.finfo(np.float32).max)
    block: Float32Array = np.clip(values, -limit, limit).astype(np.float32)
    return sparse.csr_matrix(block)
