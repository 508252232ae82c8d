"""Encodes all features of a role as one matrix. Encoders are fitted on training rows only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recommender.features.column_encoders import (
    ENCODER_FITTERS,
    ColumnEncoder,
    ColumnValues,
    EncodingConfig,
)
from recommender.features.specification import Feature, FeatureRole, FeatureSpecification
from recommender.types import DataError, Int64Array

__all__ = ["ENCODER_FITTERS", "EncodingConfig", "FeatureEncoder", "FeatureMatrix", "FeatureTable"]

FeatureTable = Mapping[str, ColumnValues]
"""Values by feature name, one for each row; a feature without a column is missing in every row."""


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """Encoded features.

    values: float32 CSR (rows, columns).
    names: name of each column.
    origins: feature that each column encodes.
    discrete: whether a column holds only zeros and ones.
    """

    values: sparse.csr_matrix
    names: tuple[str, ...]
    origins: tuple[str, ...]
    discrete: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class FeatureEncoder:
    """Fitted encoders of the features of one role. Columns of a table that are not specified are not read."""

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
        """Fits an encoder for each allowed feature of the role.

        Args:
            specification: the features.
            role: users, items or context.
            table: values of all rows.
            rows: numbers of the training rows; no other row is read.
            config: settings of the encoders.

        Raises:
            DataError: a training row is outside the table, or its columns differ in length.
        """
        config = config or EncodingConfig()
        features = specification.select_features(role)
        training_rows = rows.tolist()
        n_rows = _count_rows(table)
        if training_rows and not 0 <= min(training_rows) <= max(training_rows) < n_rows:
            raise DataError("A training row is outside the table.")
        encoders = []
        for feature in features:
            column = table.get(feature.name)
            values = [None if column is None else column[row] for row in training_rows]
            encoders.append(ENCODER_FITTERS[feature.kind](values, config))
        return cls(features, tuple(encoders))

    def transform(self, table: FeatureTable) -> FeatureMatrix:
        """Encodes all rows of a table."""
        n_rows = _count_rows(table)
        blocks: list[sparse.csr_matrix] = []
        names: list[str] = []
        origins: list[str] = []
        discrete: list[bool] = []
        for feature, encoder in zip(self.features, self.encoders, strict=True):
            blocks.append(encoder.transform(table.get(feature.name, [None] * n_rows)))
            for column in encoder.columns:
                names.append(f"{feature.name}{column}")
                origins.append(feature.name)
                discrete.append(encoder.discrete or column == " missing")
        values = sparse.csr_matrix((n_rows, 0))
        if blocks:
            values = sparse.hstack(blocks, format="csr")
        return FeatureMatrix(
            values=sparse.csr_matrix(values, dtype=np.float32),
            names=tuple(names),
            origins=tuple(origins),
            discrete=tuple(discrete),
        )


def _count_rows(table: FeatureTable) -> int:
    lengths = {len(column) for column in table.values()}
    if len(lengths) > 1:
        raise DataError("The columns of a table differ in length.")
    return lengths.pop() if lengths else 0
