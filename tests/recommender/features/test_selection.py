"""Which columns are dropped, by which rule and with which statistic."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import chi2 as chi2_distribution

from recommender.features.encoders import FeatureMatrix
from recommender.features.selection import FeatureSelection, FeatureSelectionConfig, select_features
from recommender.types import DataError, Int64Array

HALF = 100
TARGET: Int64Array = np.repeat([0, 1], HALF).astype(np.int64)
ALL_ROWS: Int64Array = np.arange(2 * HALF, dtype=np.int64)


def make_matrix(**columns: object) -> FeatureMatrix:
    """A column of zeros and ones is discrete; `a_b` is column b of the feature a."""
    values = np.column_stack([np.asarray(column, dtype=np.float32) for column in columns.values()])
    discrete = tuple(set(np.unique(values[:, j])) <= {0, 1} for j in range(values.shape[1]))
    return FeatureMatrix(
        sparse.csr_matrix(values), tuple(columns), tuple(name.split("_")[0] for name in columns), discrete
    )


def get_drop_reasons(selection: FeatureSelection) -> dict[str, str]:
    return {dropped.name: dropped.reason for dropped in selection.dropped}


def make_usual_matrix() -> FeatureMatrix:
    rng = np.random.default_rng(3)
    rare = np.zeros(2 * HALF)
    rare[-4:] = 1
    return make_matrix(
        telling=TARGET,
        always=np.ones(2 * HALF),
        nothing=np.zeros(2 * HALF),
        rare=rare,
        even=np.tile([0, 1], HALF),
        shifted=TARGET * 2.0 - 1 + rng.normal(0, 0.3, 2 * HALF),
        noise=rng.normal(0, 1, 2 * HALF),
    )


def test_each_column_is_dropped_with_its_reason() -> None:
    selection = select_features(
        make_usual_matrix(), TARGET, rows=ALL_ROWS, config=FeatureSelectionConfig(min_information=0.1)
    )
    assert get_drop_reasons(selection) == {
        "always": "constant",
        "nothing": "constant",
        "rare": "too rare",
        "even": "high chi-square p-value",
        "noise": "low mutual information",
    }
    selected = selection.select_columns(make_usual_matrix())
    assert selected.names == selected.origins == ("telling", "shifted")
    assert selected.values.shape == (2 * HALF, 2)


def test_the_statistics_agree_with_their_formulas() -> None:
    skewed = np.zeros(2 * HALF)
    skewed[:30], skewed[HALF : HALF + 24] = 1, 1
    selection = select_features(make_matrix(lean=skewed), TARGET, rows=ALL_ROWS)
    # 54 ones where 27 are expected on each side: 2 * 3^2 / 27.
    assert selection.dropped[0].statistic == pytest.approx(chi2_distribution.sf(2 / 3, 1), rel=1e-5)
    strict = FeatureSelectionConfig(max_p_value=1, min_information=1)
    perfect = select_features(make_matrix(telling=TARGET), TARGET, rows=ALL_ROWS, config=strict)
    assert perfect.dropped[0].statistic == pytest.approx(np.log(2), rel=1e-5)


def test_an_id_has_too_many_values() -> None:
    ids = {f"id_{n}": np.arange(2 * HALF) // 10 == n for n in range(20)}
    selection = select_features(
        make_matrix(telling=TARGET, **ids),
        TARGET,
        rows=ALL_ROWS,
        config=FeatureSelectionConfig(max_values=19),
    )
    assert get_drop_reasons(selection) == dict.fromkeys(ids, "too many values")
    assert {dropped.statistic for dropped in selection.dropped} == {20.0}


def test_only_training_rows_are_used() -> None:
    second_half = np.r_[np.zeros(HALF), np.ones(HALF)]
    rows = np.r_[np.arange(50), np.arange(HALF, 150)].astype(np.int64)
    column = np.r_[np.tile([0, 1], HALF // 2), second_half[HALF:]]
    changed = np.where(np.isin(ALL_ROWS, rows), column, 0)
    selection = select_features(make_matrix(a=column), TARGET, rows=rows)
    changed_selection = select_features(make_matrix(a=changed), TARGET, rows=rows)
    assert selection.to_json() == changed_selection.to_json()


def test_the_same_input_gives_the_same_selection() -> None:
    assert (
        select_features(make_usual_matrix(), TARGET, rows=ALL_ROWS).to_json()
        == select_features(make_usual_matrix(), TARGET, rows=ALL_ROWS).to_json()
    )


@pytest.mark.parametrize("target", [np.zeros(2 * HALF, np.int64), ALL_ROWS], ids=["one class", "all classes"])
def test_an_uninformative_target_is_skipped_with_a_note(target: Int64Array) -> None:
    selection = select_features(make_usual_matrix(), target, rows=ALL_ROWS)
    assert selection.note
    assert set(get_drop_reasons(selection).values()) == {"constant", "too rare"}


def test_no_rows_and_no_columns_are_accepted() -> None:
    assert select_features(make_usual_matrix(), TARGET, rows=ALL_ROWS[:0]).selected_columns.tolist() == []
    without_columns = FeatureMatrix(sparse.csr_matrix((2 * HALF, 0), dtype=np.float32), (), (), ())
    assert select_features(without_columns, TARGET, rows=ALL_ROWS).to_json() == {
        "kept": 0,
        "dropped": [],
        "note": "",
    }


def test_a_target_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="one class for each row"):
        select_features(make_usual_matrix(), TARGET[1:], rows=ALL_ROWS[1:])
