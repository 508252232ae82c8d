"""Selects columns of a feature matrix by univariate rules, and reports for each dropped column which rule dropped it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse
from sklearn.feature_selection import chi2, mutual_info_classif

from recommender.features.encoders import FeatureMatrix
from recommender.types import BoolArray, DataError, Float64Array, Int64Array

ColumnDropReason = Literal[
    "constant", "too many values", "too rare", "high chi-square p-value", "low mutual information"
]


@dataclass(frozen=True, slots=True)
class FeatureSelectionConfig:
    """Thresholds of the rules, in the order of application; each rule sees what the earlier ones left.

    too many values: all columns of a feature with more than `max_values` discrete columns, such as an id.
    constant: the same value in every training row.
    too rare: not zero in fewer than `min_rows` training rows.
    high chi-square p-value: above `max_p_value`, by scikit-learn's chi2; only for columns without negative values, for
        which the statistic is defined.
    low mutual information: below `min_information` nats, by scikit-learn's mutual_info_classif on at most `max_rows`
        evenly spaced training rows. For a column that is mostly zero, the information of being zero is estimated. With
        few rows the estimate for numbers is rough, and useless ones may pass.
    """

    max_values: int = 1_000
    min_rows: int = 5
    max_p_value: float = 0.05
    min_information: float = 0.001
    max_rows: int = 20_000


@dataclass(frozen=True, slots=True)
class DroppedColumn:
    """`statistic` is what the rule measured: number of columns or rows, range, p-value or nats."""

    name: str
    reason: ColumnDropReason
    statistic: float


@dataclass(frozen=True, slots=True)
class FeatureSelection:
    """selected_columns: ascending column numbers. note: why the rules that read the target were not applied, or ""."""

    selected_columns: Int64Array
    dropped: tuple[DroppedColumn, ...]
    note: str = ""

    def select_columns(self, matrix: FeatureMatrix) -> FeatureMatrix:
        """The selected columns of a matrix of the same encoder."""
        columns = self.selected_columns.tolist()
        return FeatureMatrix(
            values=sparse.csr_matrix(matrix.values[:, self.selected_columns]),
            names=tuple(matrix.names[column] for column in columns),
            origins=tuple(matrix.origins[column] for column in columns),
            discrete=tuple(matrix.discrete[column] for column in columns),
        )

    def to_json(self) -> dict[str, Any]:
        """kept (count), dropped (name, reason and figure of each column) and note."""
        dropped = []
        for column in self.dropped:
            dropped.append({"name": column.name, "reason": column.reason, "figure": column.statistic})
        return {"kept": len(self.selected_columns), "dropped": dropped, "note": self.note}


def select_features(
    matrix: FeatureMatrix,
    target: Int64Array,
    *,
    rows: Int64Array,
    config: FeatureSelectionConfig | None = None,
) -> FeatureSelection:
    """Applies the rules. The result depends on the arguments only.

    Args:
        matrix: encoded features of all rows.
        target: class of each row, int64 (rows,).
        rows: numbers of the training rows; no other row is read.
        config: thresholds.

    Raises:
        DataError: target and matrix differ in length.
    """
    if len(target) != matrix.values.shape[0]:
        raise DataError("There must be one class for each row of features.")
    return _FeatureSelector(matrix, target, rows, config or FeatureSelectionConfig()).apply_rules()


class _FeatureSelector:
    """The columns that are still selected, and those dropped so far."""

    def __init__(
        self,
        matrix: FeatureMatrix,
        target: Int64Array,
        rows: Int64Array,
        config: FeatureSelectionConfig,
    ) -> None:
        self._names, self._origins = matrix.names, matrix.origins
        self._discrete = np.array(matrix.discrete, dtype=np.bool_)
        self._values = sparse.csc_matrix(matrix.values[rows])
        self._target = target[rows]
        self._config = config
        self._selected: Int64Array = np.arange(len(matrix.names), dtype=np.int64)
        self._dropped: list[DroppedColumn] = []

    def apply_rules(self) -> FeatureSelection:
        config = self._config
        feature_columns = self._count_feature_columns()
        self._drop_columns("too many values", feature_columns, feature_columns > config.max_values)
        ranges = self._compute_ranges()
        self._drop_columns("constant", ranges, ranges == 0)
        nonzero_rows = self._count_nonzero_rows()
        self._drop_columns("too rare", nonzero_rows, nonzero_rows < config.min_rows)
        note = self._check_target()
        if not note:
            p_values = self._compute_p_values()
            self._drop_columns("high chi-square p-value", p_values, p_values > config.max_p_value)
            information = self._estimate_mutual_information()
            self._drop_columns("low mutual information", information, information < config.min_information)
        return FeatureSelection(self._selected, tuple(self._dropped), note)

    def _drop_columns(self, reason: ColumnDropReason, statistics: Float64Array, mask: BoolArray) -> None:
        """Drops the columns of the mask. A statistic of NaN is not defined and drops nothing: NaN compares as False."""
        for column, statistic in zip(self._selected[mask].tolist(), statistics[mask].tolist(), strict=True):
            self._dropped.append(DroppedColumn(self._names[column], reason, float(statistic)))
        self._selected = self._selected[~mask]

    def _count_feature_columns(self) -> Float64Array:
        """For each discrete column, the number of discrete columns of its feature; NaN for other columns."""
        selected = self._selected.tolist()
        counts: Counter[str] = Counter()
        for column in selected:
            if self._discrete[column]:
                counts[self._origins[column]] += 1
        statistics = np.full(len(selected), np.nan)
        for position, column in enumerate(selected):
            if self._discrete[column]:
                statistics[position] = counts[self._origins[column]]
        return statistics

    def _compute_ranges(self) -> Float64Array:
        values = self._values[:, self._selected]
        if not values.shape[0] or not values.shape[1]:
            return np.zeros(values.shape[1])
        ranges = (values.max(axis=0) - values.min(axis=0)).toarray()
        return np.asarray(ranges, dtype=np.float64).ravel()

    def _count_nonzero_rows(self) -> Float64Array:
        return np.asarray(self._values[:, self._selected].getnnz(axis=0), dtype=np.float64)

    def _check_target(self) -> str:
        n_classes = len(np.unique(self._target))
        if n_classes < 2:
            return "The target has the same class in every training row."
        if 2 * n_classes > len(self._target):
            return "The target has too many classes for so few training rows."
        return ""

    def _compute_p_values(self) -> Float64Array:
        values = self._values[:, self._selected]
        p_values = np.full(len(self._selected), np.nan)
        if not len(self._selected):
            return p_values
        is_nonnegative = values.min(axis=0).toarray().ravel() >= 0
        usable = np.flatnonzero(is_nonnegative)
        if len(usable):
            p_values[usable] = chi2(values[:, usable], self._target)[1]
        return p_values

    def _estimate_mutual_information(self) -> Float64Array:
        """Nats: of being zero for discrete and mostly-zero columns, of the value for all other columns."""
        n_rows = len(self._target)
        sample = np.linspace(0, n_rows - 1, min(n_rows, self._config.max_rows)).astype(np.int64)
        # Rows are selected in CSR form and columns in CSC form.
        values = self._values[:, self._selected].tocsr()[sample].tocsc()
        target = self._target[sample]
        is_mostly_nonzero = 2 * values.getnnz(axis=0) > len(sample)
        is_number = ~self._discrete[self._selected] & is_mostly_nonzero
        indicators, numbers = np.flatnonzero(~is_number), np.flatnonzero(is_number)
        information = np.full(len(self._selected), np.nan)
        if len(indicators):
            is_nonzero = sparse.csc_matrix(values[:, indicators] != 0, dtype=np.float64)
            information[indicators] = mutual_info_classif(is_nonzero, target, discrete_features=True)
        if len(numbers):
            dense = values[:, numbers].toarray().astype(np.float64)
            information[numbers] = mutual_info_classif(
                dense,
                target,
                discrete_features=False,
                random_state=0,
            )
        return information
