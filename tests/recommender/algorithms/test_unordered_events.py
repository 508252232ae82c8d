"""Data whose events have no order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.dataset import Dataset, leave_last_out
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.fit_options import FitOptions
from recommender.fitting.training_profiles import (
    ORDER_SENSITIVE,
    build_model_specs,
    select_default_models,
)
from recommender.tuning.tuner import TuningBudget, TuningOptions, tune_models
from recommender.types import ignore_progress


@pytest.fixture(scope="module")
def unordered_board(board: Dataset) -> Dataset:
    return replace(board, is_ordered=False)


def test_no_order_sensitive_model_is_fitted(board: Dataset, unordered_board: Dataset) -> None:
    assert {"transitions", "sequence", "recurrent", "convolutional"} == ORDER_SENSITIVE
    assert (
        set(select_default_models("full", board)) - set(select_default_models("full", unordered_board))
        == ORDER_SENSITIVE
    )
    ensemble = fit_ensemble(unordered_board, FitOptions(profile="fast"), rng=np.random.default_rng(0))
    assert not set(ensemble.models) & ORDER_SENSITIVE
    assert {"popularity", "item_neighbours", "factors", "ease"} <= set(ensemble.models)


def test_a_split_of_unordered_events_is_unordered(unordered_board: Dataset) -> None:
    assert not leave_last_out(unordered_board).train.is_ordered


@pytest.mark.parametrize("name", ["item_neighbours", "factors", "ease"])
def test_the_order_of_a_history_changes_no_score(name: str, unordered_board: Dataset) -> None:
    model = build_model_specs("fast", ignore_progress, [name], ordered=False)[name].build()
    model.fit(unordered_board, np.random.default_rng(0))
    history = np.array([2, 4, 8, 11, 1], np.int32)
    np.testing.assert_allclose(
        model.score_history(history), model.score_history(history[::-1].copy()), rtol=1e-3, atol=1e-4
    )
    ordered_model = build_model_specs("fast", ignore_progress, [name])[name].build()
    ordered_model.fit(unordered_board, np.random.default_rng(0))
    assert not np.allclose(
        ordered_model.score_history(history), ordered_model.score_history(history[::-1].copy()), rtol=1e-2
    )


def test_a_tuned_parameter_overrides_that_of_unordered_data(unordered_board: Dataset) -> None:
    specs = build_model_specs(
        "fast", ignore_progress, ["ease"], ordered=False, overrides={"ease": {"decay": 0.9}}
    )
    assert (specs["ease"].config.decay, specs["ease"].config.history) == (0.9, 500)


def test_tuning_skips_order_sensitive_models(unordered_board: Dataset) -> None:
    tuning = tune_models(
        leave_last_out(unordered_board), TuningOptions(TuningBudget(seconds=20, trials=1), profile="fast")
    )
    assert "ease" in tuning.report["models"]
    assert not set(tuning.report["models"]) & ORDER_SENSITIVE
