"""Which columns are worth keeping, and for each of the others why not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse
from sklearn.feature_selection import chi2, mutual_info_classif

from recommender.features.encoders import FeatureMatrix
from recommender.types import Bools, DataError, Doubles, Longs

Reason = Literal[
    "constant", "too many values", "too rare", "high chi-square p-value", "low mutual information"
]


@dataclass(frozen=True, slots=True)
class SelectionConfig:
    """Bounds of the rules, in the order in which they are applied to what the earlier ones left.

    too many values: a feature with more than `most_values` columns of zeros and ones, such as an id; all of them go.
    constant: the same in every training row. too rare: not zero in fewer than `least_rows` training rows.
    high chi-square p-value: above `most_p` (scikit-learn's chi2; only columns without negative values, for which that
    statistic is defined). low mutual information: below `least_information` nats (scikit-learn's mutual_info_classif;
    of a column that is zero in most rows it counts whether it is; of few rows the estimate for numbers is rough, and
    useless ones may pass). Of more than `most_rows` training rows the
    information is estimated on that many, evenly spaced."""

    most_values: int = 1_000
    least_rows: int = 5
    most_p: float = 0.05
    least_information: float = 0.001
    most_rows: int = 20_000


@dataclass(frozen=True, slots=True)
class Dropped:
    """`figure` is what the rule measured: columns, rows, p-value or nats."""

    name: str
    reason: Reason
    figure: float


@dataclass(frozen=True, slots=True)
class Selection:
    """`kept` are column numbers, ascending. `note` says why the target was not asked, if it was not."""

    kept: Longs
    dropped: tuple[Dropped, ...]
    note: str = ""

    def take(self, matrix: FeatureMatrix) -> FeatureMatrix:
        """The kept columns of a matrix of the same encoder."""
        chosen = self.kept.tolist()
        return FeatureMatrix(
            sparse.csr_matrix(matrix.values[:, self.kept]),
            tuple(matrix.names[column] for column in chosen),
            tuple(matrix.origins[column] for column in chosen),
            tuple(matrix.discrete[column] for column in chosen),
        )

    def to_json(self) -> dict[str, Any]:
        dropped = [{"name": d.name, "reason": d.reason, "figure": d.figure} for d in self.dropped]
        return {"kept": len(self.kept), "dropped": dropped, "note": self.note}


def select(
    matrix: FeatureMatrix, target: Longs, *, rows: Longs, config: SelectionConfig | None = None
) -> Selection:
    """target[i] is the class of matrix row i; only the given rows (the training rows) are looked at.

    The same input gives the same answer. Raises DataError where target and matrix differ in length."""
    if len(target) != matrix.values.shape[0]:
        raise DataError("There must be one class for each row of features.")
    return _Selecting(matrix, target, rows, config or SelectionConfig()).selected()


class _Selecting:
    """The columns still in the running, and what was dropped so far."""

    def __init__(self, matrix: FeatureMatrix, target: Longs, rows: Longs, config: SelectionConfig) -> None:
        self._names, self._origins = matrix.names, matrix.origins
        self._discrete = np.array(matrix.discrete, dtype=np.bool_)
        self._values = sparse.csc_matrix(matrix.values[rows])
        self._target = target[rows]
        self._config = config
        self._kept: Longs = np.arange(len(matrix.names), dtype=np.int64)
        self._dropped: list[Dropped] = []

    def selected(self) -> Selection:
        config = self._config
        self._drop("too many values", self._columns_of_feature(), lambda n: n > config.most_values)
        self._drop("constant", self._spread(), lambda spread: spread == 0)
        self._drop("too rare", self._filled(), lambda n: n < config.least_rows)
        note = self._no_question()
        if not note:
            self._drop("high chi-square p-value", self._p_values(), lambda p: p > config.most_p)
            self._drop("low mutual information", self._information(), lambda n: n < config.least_information)
        return Selection(self._kept, tuple(self._dropped), note)

    def _drop(self, reason: Reason, figures: Doubles, wrong: Any) -> None:
        """NaN is no figure: such a column stays."""
        out: Bools = np.asarray(wrong(figures), dtype=np.bool_) & ~np.isnan(figures)
        for column, figure in zip(self._kept[out].tolist(), figures[out].tolist(), strict=True):
            self._dropped.append(Dropped(self._names[column], reason, float(figure)))
        self._kept = self._kept[~out]

    def _columns_of_feature(self) -> Doubles:
        counted = Counter(self._origins[c] for c in self._kept.tolist() if self._discrete[c])
        figures = [counted[self._origins[c]] if self._discrete[c] else np.nan for c in self._kept.tolist()]
        return np.array(figures, dtype=np.float64)

    def _spread(self) -> Doubles:
        values = self._values[:, self._kept]
        if not values.shape[0] or not values.shape[1]:
            return np.zeros(values.shape[1])
        return np.asarray((values.max(axis=0) - values.min(axis=0)).toarray(), dtype=np.float64).ravel()

    def _filled(self) -> Doubles:
        return np.asarray(self._values[:, self._kept].getnnz(axis=0), dtype=np.float64)

    def _no_question(self) -> str:
        classes = len(np.unique(self._target))
        if classes < 2:
            return "The target is the same in every training row, so nothing can be told from it."
        if 2 * classes > len(self._target):
            return "The target has too many classes for so few training rows."
        return ""

    def _p_values(self) -> Doubles:
        values = self._values[:, self._kept]
        figures = np.full(len(self._kept), np.nan)
        if not len(self._kept):
            return figures
        usable = np.flatnonzero(values.min(axis=0).toarray().ravel() >= 0)
        if len(usable):
            figures[usable] = chi2(values[:, usable], self._target)[1]
        return figures

    def _information(self) -> Doubles:
        """Estimated in two parts: whether a column is zero, and the values of those that are mostly not."""
        size = len(self._target)
        rows = np.linspace(0, size - 1, min(size, self._config.most_rows)).astype(np.int64)
        values, target = self._values[:, self._kept].tocsr()[rows].tocsc(), self._target[rows]
        figures = np.full(len(self._kept), np.nan)
        dense = ~self._discrete[self._kept] & (2 * values.getnnz(axis=0) > len(rows))
        marks, numbers = np.flatnonzero(~dense), np.flatnonzero(dense)
        if len(marks):
            present = sparse.csc_matrix(values[:, marks] != 0, dtype=np.float64)
            figures[marks] = mutual_info_classif(present, target, discrete_features=True)
        if len(numbers):
            filled = values[:, numbers].toarray().astype(np.float64)
            figures[numbers] = mutual_info_classif(filled, target, discrete_features=False, random_state=0)
        return figures
