"""Which columns are worth keeping, and for each of the others why not."""

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
    """Bounds of the rules, in the order in which they are applied to what the earlier ones left.

    too many values: a feature with more than `most_values` columns of zeros and ones, such as an id; all of them go.
    constant: the same in every training row. too rare: not zero in fewer than `least_rows` training rows.
    high chi-square p-value: above `most_p` (scikit-learn's chi2; only columns without negative values, for which that
    statistic is defined). low mutual information: below `least_information` nats (scikit-learn's mutual_info_classif;
    of a column that is zero in most rows it counts whether it is; of few rows the estimate for numbers is rough, and
    useless ones may pass). Of more than `most_rows` training rows the
    information is estimated on that many, evenly spaced."""

    max_values: int = 1_000
    min_rows: int = 5
    max_p_value: float = 0.05
    min_information: float = 0.001
    max_rows: int = 20_000


@dataclass(frozen=True, slots=True)
class DroppedColumn:
    """`figure` is what the rule measured: columns, rows, p-value or nats."""

    name: str
    reason: ColumnDropReason
    statistic: float


@dataclass(frozen=True, slots=True)
class FeatureSelection:
    """`kept` are column numbers, ascending. `note` says why the target was not asked, if it was not."""

    selected_columns: Int64Array
    dropped: tuple[DroppedColumn, ...]
    note: str = ""

    def select_columns(self, matrix: FeatureMatrix) -> FeatureMatrix:
        """The kept columns of a matrix of the same encoder."""
        chosen = self.selected_columns.tolist()
        return FeatureMatrix(
            sparse.csr_matrix(matrix.values[:, self.selected_columns]),
            tuple(matrix.names[column] for column in chosen),
            tuple(matrix.origins[column] for column in chosen),
            tuple(matrix.discrete[column] for column in chosen),
        )

    def to_json(self) -> dict[str, Any]:
        dropped = [{"name": d.name, "reason": d.reason, "figure": d.statistic} for d in self.dropped]
        return {"kept": len(self.selected_columns), "dropped": dropped, "note": self.note}


def select_features(
    matrix: FeatureMatrix,
    target: Int64Array,
    *,
    rows: Int64Array,
    config: FeatureSelectionConfig | None = None,
) -> FeatureSelection:
    """target[i] is the class of matrix row i; only the given rows (the training rows) are looked at.

    The same input gives the same answer. Raises DataError where target and matrix differ in length."""
    if len(target) != matrix.values.shape[0]:
        raise DataError("There must be one class for each row of features.")
    return _FeatureSelector(matrix, target, rows, config or FeatureSelectionConfig()).select_columns()


class _FeatureSelector:
    """The columns still in the running, and what was dropped so far."""

    def __init__(
        self, matrix: FeatureMatrix, target: Int64Array, rows: Int64Array, config: FeatureSelectionConfig
    ) -> None:
        self._names, self._origins = matrix.names, matrix.origins
        self._discrete = np.array(matrix.discrete, dtype=np.bool_)
        self._values = sparse.csc_matrix(matrix.values[rows])
        self._target = target[rows]
        self._config = config
        self._selected: Int64Array = np.arange(len(matrix.names), dtype=np.int64)
        self._dropped: list[DroppedColumn] = []

    def select_columns(self) -> FeatureSelection:
        config = self._config
        self._drop_columns("too many values", self._count_feature_columns(), lambda n: n > config.max_values)
        self._drop_columns("constant", self._compute_ranges(), lambda spread: spread == 0)
        self._drop_columns("too rare", self._count_nonzero_rows(), lambda n: n < config.min_rows)
        note = self._check_target()
        if not note:
            self._drop_columns(
                "high chi-square p-value", self._compute_p_values(), lambda p: p > config.max_p_value
            )
            self._drop_columns(
                "low mutual information",
                self._estimate_mutual_information(),
                lambda n: n < config.min_information,
            )
        return FeatureSelection(self._selected, tuple(self._dropped), note)

    def _drop_columns(self, reason: ColumnDropReason, statistics: Float64Array, should_drop: Any) -> None:
        """NaN is no figure: such a column stays."""
        out: BoolArray = np.asarray(should_drop(statistics), dtype=np.bool_) & ~np.isnan(statistics)
        for column, figure in zip(self._selected[out].tolist(), statistics[out].tolist(), strict=True):
            self._dropped.append(DroppedColumn(self._names[column], reason, float(figure)))
        self._selected = self._selected[~out]

    def _count_feature_columns(self) -> Float64Array:
        counted = Counter(self._origins[c] for c in self._selected.tolist() if self._discrete[c])
        figures = [
            counted[self._origins[c]] if self._discrete[c] else np.nan for c in self._selected.tolist()
        ]
        return np.array(figures, dtype=np.float64)

    def _compute_ranges(self) -> Float64Array:
        values = self._values[:, self._selected]
        if not values.shape[0] or not values.shape[1]:
            return np.zeros(values.shape[1])
        return np.asarray((values.max(axis=0) - values.min(axis=0)).toarray(), dtype=np.float64).ravel()

    def _count_nonzero_rows(self) -> Float64Array:
        return np.asarray(self._values[:, self._selected].getnnz(axis=0), dtype=np.float64)

    def _check_target(self) -> str:
        classes = len(np.unique(self._target))
        if classes < 2:
            return "The target is the same in every training row, so nothing can be told from it."
        if 2 * classes > len(self._target):
            return "The target has too many classes for so few training rows."
        return ""

    def _compute_p_values(self) -> Float64Array:
        values = self._values[:, self._selected]
        figures = np.full(len(self._selected), np.nan)
        if not len(self._selected):
            return figures
        usable = np.flatnonzero(values.min(axis=0).toarray().ravel() >= 0)
        if len(usable):
            figures[usable] = chi2(values[:, usable], self._target)[1]
        return figures

    def _estimate_mutual_information(self) -> Float64Array:
        """Estimated in two parts: whether a column is zero, and the values of those that are mostly not."""
        size = len(self._target)
        rows = np.linspace(0, size - 1, min(size, self._config.max_rows)).astype(np.int64)
        values, target = self._values[:, self._selected].tocsr()[rows].tocsc(), self._target[rows]
        figures = np.full(len(self._selected), np.nan)
        dense = ~self._discrete[self._selected] & (2 * values.getnnz(axis=0) > len(rows))
        marks, numbers = np.flatnonzero(~dense), np.flatnonzero(dense)
        if len(marks):
            present = sparse.csc_matrix(values[:, marks] != 0, dtype=np.float64)
            figures[marks] = mutual_info_classif(present, target, discrete_features=True)
        if len(numbers):
            filled = values[:, numbers].toarray().astype(np.float64)
            figures[numbers] = mutual_info_classif(filled, target, discrete_features=False, random_state=0)
        return figures
