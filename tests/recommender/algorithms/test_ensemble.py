"""Models, blend and training report of an ensemble: fitted and saved together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.dataset import Dataset
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.fit_options import FitOptions
from recommender.fitting.model_selection import list_active_models
from recommender.fitting.training_profiles import PROFILE_MODELS
from recommender.numeric import scale_to_z_scores
from recommender.types import DataError, Histories, TrainingCancelled


@pytest.fixture(scope="module")
def ensemble(board: Dataset) -> Ensemble:
    return fit_ensemble(board, FitOptions(profile="fast"), rng=np.random.default_rng(0))


def test_the_blend_separates_the_checkerboard(ensemble: Ensemble) -> None:
    recommendations = ensemble.recommend(Histories.from_lists([[0, 4, 2], [1, 7, 3]]), 5)
    assert (recommendations.items % 2 == [[0], [1]]).all()


def test_the_training_report_has_the_measurements(ensemble: Ensemble) -> None:
    assert set(ensemble.training_report["validation"]) == {*ensemble.models, "blend"}
    assert ensemble.training_report["beats_popularity"] is True
    assert ensemble.training_report["skipped"] == {}
    assert set(ensemble.training_report["score_one_ms"]) == set(ensemble.models)


def test_the_blend_is_no_worse_on_validation_than_its_best_model(ensemble: Ensemble) -> None:
    ndcg = {name: summary["ndcg@10"] for name, summary in ensemble.training_report["validation"].items()}
    assert ndcg["blend"] >= max(value for name, value in ndcg.items() if name != "blend") - 0.01


def test_one_history_scores_as_it_does_among_others(ensemble: Ensemble) -> None:
    batch = ensemble.score(Histories.from_lists([[0, 2, 6], [3]]))
    single = ensemble.score_history(np.array([0, 2, 6], np.int32))
    np.testing.assert_allclose(single, batch[0], atol=0.05)


def test_the_combined_model_scores_are_the_score(ensemble: Ensemble) -> None:
    history = ensemble.clean_history(np.array([0, 2], np.int32))
    model_scores = ensemble.model_scores(history)
    z_scores = {name: scale_to_z_scores(scores) for name, scores in model_scores.items()}
    blended = sum(z_scores[name][0, 4] * weight for name, weight in ensemble.blend.weights.items() if weight)
    combined = ensemble.combine(z_scores, history)
    assert np.array_equal(combined[0], ensemble.score_history(history.item))
    assert float(combined[0, 4]) == pytest.approx(float(blended), abs=1e-4)


def test_a_saved_ensemble_loads_equal(ensemble: Ensemble, tmp_path: Path) -> None:
    ensemble.save(tmp_path)
    loaded = Ensemble.load(tmp_path)
    histories = Histories.from_lists([[0, 2], [], [7]])
    assert np.array_equal(loaded.score(histories), ensemble.score(histories))
    assert loaded.training_report == ensemble.training_report


def test_an_incomplete_set_of_files_is_refused(ensemble: Ensemble) -> None:
    files = {name: data for name, data in ensemble.to_files().items() if not name.startswith("ease/")}
    with pytest.raises(DataError, match="'ease' are missing"):
        Ensemble.from_files(files)


def test_an_empty_history_gets_the_popular_items() -> None:
    rows = [[0, 1, 2], [1, 2], [3, 1], [2, 1], [1, 0]]
    ensemble = fit_ensemble(
        Dataset.from_sequences(rows, n_items=5), FitOptions(profile="fast"), rng=np.random.default_rng(0)
    )
    assert ensemble.recommend(Histories.from_lists([[]]), 1).items.tolist() == [[1]]


@pytest.mark.parametrize("rows", [[[0]], [[0, 1]], [[], [1, 1, 1]], [[0, 1, 2], [1, 2], [0, 2], [2, 1], [0]]])
def test_tiny_data_sets_are_fitted_and_skipped_models_are_named(rows: Sequence[Sequence[int]]) -> None:
    ensemble = fit_ensemble(
        Dataset.from_sequences(rows, n_items=3), FitOptions(profile="fast"), rng=np.random.default_rng(0)
    )
    assert np.isfinite(ensemble.score(Histories.from_lists([[0], []]))).all()
    assert "content" in ensemble.training_report["skipped"]
    assert set(ensemble.models) | set(ensemble.training_report["skipped"]) == set(PROFILE_MODELS["fast"])


def test_data_without_events_is_refused() -> None:
    with pytest.raises(DataError, match="No algorithm"):
        fit_ensemble(Dataset.from_sequences([[]], n_items=3), rng=np.random.default_rng(0))


def test_progress_only_rises_and_ends_at_one(board: Dataset) -> None:
    fractions: list[float] = []
    fit_ensemble(
        board,
        FitOptions(profile="fast"),
        rng=np.random.default_rng(0),
        report=lambda _phase, fraction: fractions.append(fraction),
    )
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_cancelled_fit_stops(board: Dataset) -> None:
    def stop(phase: str, fraction: float) -> None:
        if phase == "sequence" and fraction > 0:
            raise TrainingCancelled

    with pytest.raises(TrainingCancelled):
        fit_ensemble(board, FitOptions(profile="fast"), rng=np.random.default_rng(0), report=stop)


def test_the_same_seed_makes_the_same_ensemble(board: Dataset) -> None:
    """The clock is constant, since measured costs affect which models are dropped."""
    first_ensemble, second_ensemble = (
        fit_ensemble(board, FitOptions(profile="fast"), rng=np.random.default_rng(0), clock=lambda: 0.0)
        for _ in "ab"
    )
    assert first_ensemble.blend == second_ensemble.blend


def test_slow_models_that_add_nothing_are_dropped(board: Dataset) -> None:
    ticks = count()
    slow = fit_ensemble(
        board, FitOptions(profile="fast"), rng=np.random.default_rng(0), clock=lambda: float(next(ticks))
    )
    quick = fit_ensemble(board, FitOptions(profile="fast"), rng=np.random.default_rng(0), clock=lambda: 0.0)
    assert len(list_active_models(slow.blend)) < len(list_active_models(quick.blend))
    assert "no_gain" in slow.training_report["selection"]["dropped"].values()
