"""Known answers of the encoders, and that they learn from training rows only."""

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


def fit_and_encode(kind: FeatureKind, train: list[Any], asked: list[Any], **config: Any) -> list[list[float]]:
    encoder = ENCODER_FITTERS[kind](train, EncodingConfig(**config))
    assert encoder.transform(asked).shape == (len(asked), len(encoder.columns))
    return [[round(float(v), 4) for v in row] for row in encoder.transform(asked).toarray()]


def test_categories_have_a_column_each_and_one_for_others_and_one_for_none() -> None:
    assert fit_and_encode("categorical", ["b", "a", "b"], ["a", "b", "new", None, math.nan, " "]) == [
        [0, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 1],
        [0, 0, 0, 1],
    ]


def test_rare_categories_and_those_beyond_the_limit_are_others() -> None:
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
def test_a_missing_number_is_the_median_of_training_and_marked(missing: object) -> None:
    assert fit_and_encode("numeric", [0, 0, 1, 10, 10, missing], [missing], scaling="min-max") == [[0.1, 1]]


@pytest.mark.parametrize("scaling", ["standard", "min-max"])
@pytest.mark.parametrize("train", [[7, 7, 7], [7], [None, math.nan], []])
def test_a_constant_and_a_number_never_seen_are_zeros(scaling: str, train: list[Any]) -> None:
    assert fit_and_encode("numeric", train, [7, 8, None], scaling=scaling) == [[0, 0], [0, 0], [0, 1]]


def test_midnight_is_beside_the_hour_before_and_opposite_of_noon() -> None:
    def at(hour: int) -> np.ndarray[Any, Any]:
        return np.array(fit_and_encode("time", [], [datetime(2026, 6, 1, hour, tzinfo=UTC)])[0][:2])

    assert at(0).tolist() == [0, 1]
    assert np.linalg.norm(at(0) - at(23)) == pytest.approx(np.linalg.norm(at(0) - at(1)), abs=1e-3)
    assert np.linalg.norm(at(0) - at(12)) == pytest.approx(2)


def test_monday_is_the_beginning_of_the_circle_of_the_week() -> None:
    monday, thursday = datetime(2026, 6, 1, 9, tzinfo=UTC), 0
    assert fit_and_encode("time", [], [monday])[0][2:4] == [0, 1]
    assert fit_and_encode("time", [], [thursday])[0][2:4] == [round(math.sin(6 * math.pi / 7), 4), -0.901]


def test_a_missing_time_is_zeros_and_marked() -> None:
    naive = datetime(2026, 6, 1)  # noqa: DTZ001 - what is not aware is not a moment
    assert fit_and_encode("time", [], [None, math.nan, naive]) == [[0] * 6 + [1]] * 3


def test_tags_are_marked_once_each_and_unknown_ones_leave_no_trace() -> None:
    train = [["red", "new"], ["red"], None, ["red", "sale"]]
    assert fit_and_encode("tags", train, [["sale", "red", "red", "blue"], [], None, "new"], max_values=3) == [
        *([1, 0, 1], [0, 0, 0]),
        *([0, 0, 0], [0, 1, 0]),
    ]


def test_the_tags_beyond_the_limit_are_the_rarest() -> None:
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


def test_a_column_that_nobody_specified_is_never_read() -> None:
    found = encode_table(TABLE, [0, 1])
    assert set(found.origins) == {"brand", "price", "since", "tags", "title"}
    assert found.values.dtype == np.float32
    assert found.values.shape == (4, len(found.names)) == (4, len(found.discrete))
    assert len(set(found.names)) == len(found.names)


def test_nothing_is_learned_from_a_row_outside_of_training() -> None:
    found = encode_table(TABLE, [0, 1])
    assert not {"tags=z", "title~green"} & set(found.names)
    assert found.values[0, found.names.index("price")] == -1


def test_a_column_that_is_not_there_is_missing_everywhere() -> None:
    bare = FeatureEncoder.fit(SPECIFICATION, "item", TABLE, np.array([0, 1])).transform({"price": [3.0, 2.0]})
    assert bare.values.shape[0] == 2
    assert bare.values[:, bare.names.index("brand missing")].toarray().ravel().tolist() == [1, 1]


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
def test_whatever_comes_is_finite_and_what_is_not_training_teaches_nothing(
    kind: FeatureKind, scaling: Any, train: list[Any], other: list[Any]
) -> None:
    stated = FeatureSpecification((Feature("fact", "user", kind, personal=True),), ())
    rows, config = np.arange(len(train), dtype=np.int64), EncodingConfig(scaling=scaling)
    table: FeatureTable = {"fact": [*train, *other]}
    alone = FeatureEncoder.fit(stated, "user", {"fact": train}, rows, config)
    among = FeatureEncoder.fit(stated, "user", table, rows, config)
    assert [e.columns for e in among.encoders] == [e.columns for e in alone.encoders]
    found = among.transform(table).values
    assert np.isfinite(found.toarray()).all()
    assert (found != alone.transform(table).values).nnz == 0
