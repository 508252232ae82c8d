"""Known outputs of the encoders. They are fitted to training rows only."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.features.encoders import (
    ENCODER_FITTERS,
    EncodingConfig,
    FeatureEncoder,
    FeatureMatrix,
    FeatureTable,
)
from recommender.features.specification import Feature, FeatureKind, FeatureSpecification
from recommender.types import DataError


def fit_and_encode(kind: FeatureKind, train: list[Any], rows: list[Any], **config: Any) -> list[list[float]]:
    encoder = ENCODER_FITTERS[kind](train, EncodingConfig(**config))
    assert encoder.transform(rows).shape == (len(rows), len(encoder.columns))
    return [[round(float(value), 4) for value in row] for row in encoder.transform(rows).toarray()]


def test_categories_have_a_column_each_and_one_for_others_and_one_for_missing() -> None:
    assert fit_and_encode("categorical", ["b", "a", "b"], ["a", "b", "new", None, math.nan, " "]) == [
        [0, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 1],
        [0, 0, 0, 1],
    ]


def test_rare_categories_and_those_beyond_the_limit_are_grouped_as_other() -> None:
    train = ["a"] * 3 + ["b"] * 2 + ["c"] * 2 + ["d"]
    assert ENCODER_FITTERS["categorical"](train, EncodingConfig(min_rows=2)).columns == (
        *("=a", "=b", "=c"),
        *(" other", " missing"),
    )
    assert ENCODER_FITTERS["categorical"](train, EncodingConfig(max_values=1)).columns == (
        "=a",
        " other",
        " missing",
    )


def test_standardised_numbers_have_mean_zero_and_variance_one() -> None:
    assert fit_and_encode("numeric", [1, 3], [1, 3, 5, "7"]) == [[-1, 0], [1, 0], [3, 0], [5, 0]]


def test_normalised_numbers_lie_between_zero_and_one_even_if_new() -> None:
    assert fit_and_encode("numeric", [10, 20], [10, 15, 20, 99, -99], scaling="min-max") == [
        *([0, 0], [0.5, 0], [1, 0]),
        *([1, 0], [0, 0]),
    ]


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, "", "many", 1e300, 10**400, [1]])
def test_a_missing_number_is_the_training_median_with_a_missing_flag(missing: object) -> None:
    assert fit_and_encode("numeric", [0, 0, 1, 10, 10, missing], [missing], scaling="min-max") == [[0.1, 1]]


@pytest.mark.parametrize("scaling", ["standard", "min-max"])
@pytest.mark.parametrize("train", [[7, 7, 7], [7], [None, math.nan], []])
def test_numbers_of_a_constant_or_empty_column_are_zero(scaling: str, train: list[Any]) -> None:
    assert fit_and_encode("numeric", train, [7, 8, None], scaling=scaling) == [[0, 0], [0, 0], [0, 1]]


def test_hours_lie_on_a_circle() -> None:
    def encode_hour(hour: int) -> np.ndarray[Any, Any]:
        return np.array(fit_and_encode("time", [], [datetime(2026, 6, 1, hour, tzinfo=UTC)])[0][:2])

    assert encode_hour(0).tolist() == [0, 1]
    assert np.linalg.norm(encode_hour(0) - encode_hour(23)) == pytest.approx(
        np.linalg.norm(encode_hour(0) - encode_hour(1)), abs=1e-3
    )
    assert np.linalg.norm(encode_hour(0) - encode_hour(12)) == pytest.approx(2)


def test_weekdays_lie_on_a_circle_that_begins_on_monday() -> None:
    monday, thursday = datetime(2026, 6, 1, 9, tzinfo=UTC), 0
    assert fit_and_encode("time", [], [monday])[0][2:4] == [0, 1]
    assert fit_and_encode("time", [], [thursday])[0][2:4] == [round(math.sin(6 * math.pi / 7), 4), -0.901]


def test_a_missing_time_is_zeros_with_a_missing_flag() -> None:
    naive = datetime(2026, 6, 1)  # noqa: DTZ001 - a time without a zone is ambiguous
    assert fit_and_encode("time", [], [None, math.nan, naive]) == [[0] * 6 + [1]] * 3


def test_tags_are_encoded_once_each_and_unknown_ones_are_ignored() -> None:
    train = [["red", "new"], ["red"], None, ["red", "sale"]]
    assert fit_and_encode("tags", train, [["sale", "red", "red", "blue"], [], None, "new"], max_values=3) == [
        *([1, 0, 1], [0, 0, 0]),
        *([0, 0, 0], [0, 1, 0]),
    ]


def test_beyond_the_limit_the_rarest_tags_are_dropped() -> None:
    assert ENCODER_FITTERS["tags"](
        [["a", "b"], ["b"], ["c", "b", "a"]], EncodingConfig(max_values=2)
    ).columns == (
        "=b",
        "=a",
    )


def test_texts_are_rows_of_length_one() -> None:
    rows = np.array(fit_and_encode("text", ["red mug", "blue mug"], ["red mug", "", None]))
    assert np.linalg.norm(rows, axis=1).round(3).tolist() == [1, 0, 0]


SPECIFICATION = FeatureSpecification(
    (
        Feature("brand", "item", "categorical"),
        Feature("price", "item", "numeric"),
        Feature("since", "item", "time"),
        Feature("tags", "item", "tags"),
        Feature("title", "item", "text"),
        Feature("mood", "item", "categorical", allowed=False),
    ),
    denied_attributes=("gender",),
)
TABLE: FeatureTable = {
    "brand": ["n", "m", "n", None],
    "price": [1.0, 3.0, 1e9, None],
    "since": [0, 1, 2, None],
    "tags": [["a"], ["b"], ["z"], None],
    "title": ["red", "blue", "green", None],
    "mood": ["x"] * 4,
    "gender": ["f", "m", "f", "m"],
}


def encode_table(table: FeatureTable, rows: list[int]) -> FeatureMatrix:
    return FeatureEncoder.fit(SPECIFICATION, "item", table, np.array(rows, dtype=np.int64)).transform(table)


def test_unspecified_columns_are_never_read() -> None:
    matrix = encode_table(TABLE, [0, 1])
    assert set(matrix.origins) == {"brand", "price", "since", "tags", "title"}
    assert matrix.values.dtype == np.float32
    assert matrix.values.shape == (4, len(matrix.names)) == (4, len(matrix.discrete))
    assert len(set(matrix.names)) == len(matrix.names)


def test_rows_outside_of_training_are_not_fitted() -> None:
    matrix = encode_table(TABLE, [0, 1])
    assert not {"tags=z", "title~green"} & set(matrix.names)
    assert matrix.values[0, matrix.names.index("price")] == -1


def test_an_absent_column_is_missing_in_every_row() -> None:
    matrix = FeatureEncoder.fit(SPECIFICATION, "item", TABLE, np.array([0, 1])).transform(
        {"price": [3.0, 2.0]}
    )
    assert matrix.values.shape[0] == 2
    assert matrix.values[:, matrix.names.index("brand missing")].toarray().ravel().tolist() == [1, 1]


def test_columns_of_different_length_and_rows_outside_are_refused() -> None:
    with pytest.raises(DataError, match="differ in length"):
        encode_table({"brand": ["n"], "price": [1.0, 2.0]}, [0])
    with pytest.raises(DataError, match="outside"):
        encode_table(TABLE, [4])


ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.lists(st.text(max_size=3), max_size=3),
)


@settings(deadline=None, max_examples=60)
@given(train=st.lists(ANYTHING, max_size=8), other=st.lists(ANYTHING, min_size=1, max_size=4))
@pytest.mark.parametrize("kind", list(ENCODER_FITTERS))
@pytest.mark.parametrize("scaling", ["standard", "min-max"])
def test_any_input_is_encoded_as_finite_and_only_training_rows_are_fitted(
    kind: FeatureKind, scaling: Any, train: list[Any], other: list[Any]
) -> None:
    specification = FeatureSpecification((Feature("fact", "user", kind, personal=True),), ())
    rows, config = np.arange(len(train), dtype=np.int64), EncodingConfig(scaling=scaling)
    table: FeatureTable = {"fact": [*train, *other]}
    fitted_alone = FeatureEncoder.fit(specification, "user", {"fact": train}, rows, config)
    fitted_among_others = FeatureEncoder.fit(specification, "user", table, rows, config)
    assert [encoder.columns for encoder in fitted_among_others.encoders] == [
        encoder.columns for encoder in fitted_alone.encoders
    ]
    values = fitted_among_others.transform(table).values
    assert np.isfinite(values.toarray()).all()
    assert (values != fitted_alone.transform(table).values).nnz == 0
