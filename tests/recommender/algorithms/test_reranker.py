"""The gradient-boosted reranker: fitted, evaluated, exported and applied."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.ensemble.reranker import GradientBoostedReranker
from recommender.algorithms.neighbourhood.transitions import Transitions
from recommender.algorithms.popularity.popularity import Popularity
from recommender.dataset import Dataset
from recommender.fitting.reranker_training import (
    MIN_CASES,
    export_trees,
    fit_reranker_if_better,
    fit_trees,
    select_top_candidates,
)
from recommender.numeric import scale_to_z_scores
from recommender.types import DataError, Float32Array, Histories
from tests.recommender.candidate_scores import CASES, build_candidate_scores, make_interaction_scores

EQUAL = Blend({"one": 1.0, "other": 1.0})


@pytest.fixture(scope="module")
def reranker() -> GradientBoostedReranker:
    trial = fit_reranker_if_better(
        build_candidate_scores(*make_interaction_scores()), EQUAL, k=10, rng=np.random.default_rng(0)
    )
    assert trial.reranker is not None
    return trial.reranker


def score_new_cases(
    reranker: GradientBoostedReranker | None, histories: Histories
) -> tuple[Float32Array, Float32Array]:
    """Blended scores of new cases before and after the second stage."""
    scores, _ = make_interaction_scores(seed=1)
    z_scores = {name: scale_to_z_scores(values[: len(histories)].copy()) for name, values in scores.items()}
    before = EQUAL.sum_weighted(z_scores)
    after = before.copy()
    if reranker is not None:
        reranker.rerank(after, z_scores, histories)
    return before, after


def test_an_interaction_that_no_sum_expresses_is_learned(reranker: GradientBoostedReranker) -> None:
    _, target = make_interaction_scores(seed=1)
    before, after = score_new_cases(reranker, Histories.from_lists([[]] * 100 + [[39]] * 100))
    rows = np.flatnonzero(target[100:200] != 39) + 100
    assert (before[rows].argmax(axis=1) == target[rows]).mean() < 0.7
    assert (after[rows].argmax(axis=1) == target[rows]).mean() > 0.95


def test_the_set_of_scores_does_not_change(reranker: GradientBoostedReranker) -> None:
    before, after = score_new_cases(reranker, Histories.from_lists([[3, 5]] * 20))
    assert np.array_equal(np.sort(before, axis=1), np.sort(after, axis=1))
    assert not np.array_equal(before, after)


def test_items_of_the_history_keep_their_scores(reranker: GradientBoostedReranker) -> None:
    before, after = score_new_cases(reranker, Histories.from_lists([[3, 5]] * 20))
    assert np.array_equal(before[:, [3, 5]], after[:, [3, 5]])


def test_an_empty_history_keeps_its_order(reranker: GradientBoostedReranker) -> None:
    before, after = score_new_cases(reranker, Histories.from_lists([[]] * 20))
    assert np.array_equal(before, after)


def test_a_history_of_all_items_is_accepted(reranker: GradientBoostedReranker) -> None:
    before, after = score_new_cases(reranker, Histories.from_lists([list(range(40))]))
    assert np.array_equal(before, after)


def test_one_history_is_ordered_as_among_others(reranker: GradientBoostedReranker) -> None:
    _, batch = score_new_cases(reranker, Histories.from_lists([[3, 5]] * 20))
    _, single = score_new_cases(reranker, Histories.from_lists([[3, 5]]))
    np.testing.assert_allclose(single[0], batch[0], atol=1e-6)


def test_the_exported_trees_compute_the_same_as_the_fitted_ones() -> None:
    cases = select_top_candidates(build_candidate_scores(*make_interaction_scores()), EQUAL)
    trees = fit_trees(cases, np.random.default_rng(0))
    flat = cases.features[:50].reshape(-1, cases.features.shape[2])
    logits = GradientBoostedReranker(("one", "other"), 1.0, export_trees(trees)).compute_logits(
        cases.features[:50]
    )
    np.testing.assert_allclose(logits.ravel(), trees.decision_function(flat), atol=1e-4)


def test_without_anything_to_learn_no_reranker_is_used() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 40, CASES).astype(np.int32)
    noise = {name: rng.standard_normal((CASES, 40)).astype(np.float32) for name in ("one", "other")}
    trial = fit_reranker_if_better(build_candidate_scores(noise, target), EQUAL, k=10, rng=rng)
    assert trial.reranker is None
    assert trial.ndcg_held_out is not None


def test_the_reranker_is_evaluated_on_held_out_cases(reranker: GradientBoostedReranker) -> None:
    """In-sample, trees of this size order pure noise well."""
    rng = np.random.default_rng(2)
    target = rng.integers(0, 40, CASES).astype(np.int32)
    noise = {name: rng.standard_normal((CASES, 40)).astype(np.float32) for name in ("one", "other")}
    trial = fit_reranker_if_better(build_candidate_scores(noise, target), EQUAL, k=10, rng=rng)
    assert trial.ndcg_held_out == pytest.approx(trial.ndcg_without, abs=0.02)


def test_targets_of_the_history_are_not_evaluated() -> None:
    """Serving leaves items of the history in their places."""
    trial = fit_reranker_if_better(
        build_candidate_scores(*make_interaction_scores(), target_in_history=True),
        EQUAL,
        k=10,
        rng=np.random.default_rng(0),
    )
    assert trial.reranker is None
    assert trial.ndcg_held_out is None


def test_the_features_are_those_of_active_models() -> None:
    scores, target = make_interaction_scores()
    unused_scores = {"idle": np.random.default_rng(9).standard_normal(scores["one"].shape).astype(np.float32)}
    cases = build_candidate_scores({"one": scores["one"], **unused_scores, "other": scores["other"]}, target)
    trial = fit_reranker_if_better(cases, EQUAL, k=10, rng=np.random.default_rng(0))
    assert trial.reranker is not None
    assert trial.reranker.model_names == ("one", "other")
    assert trial.reranker.compute_logits(np.zeros((1, 4, 9), np.float32)).shape == (1, 4)


def test_too_few_cases_give_no_reranker() -> None:
    scores, target = make_interaction_scores()
    few_scores = {name: values[: MIN_CASES - 1] for name, values in scores.items()}
    trial = fit_reranker_if_better(
        build_candidate_scores(few_scores, target[: MIN_CASES - 1]), EQUAL, k=10, rng=np.random.default_rng(0)
    )
    assert trial.to_json() == {
        "active": False,
        "logit_weight": None,
        "ndcg_without": trial.ndcg_without,
        "ndcg_held_out": None,
        "cases": MIN_CASES - 1,
    }


def test_the_same_generator_state_gives_the_same_reranker() -> None:
    cases = build_candidate_scores(*make_interaction_scores())
    first_reranker, second_reranker = (
        fit_reranker_if_better(cases, EQUAL, k=10, rng=np.random.default_rng(4)).reranker for _ in range(2)
    )
    assert first_reranker == second_reranker


@pytest.fixture
def ensemble(board: Dataset, reranker: GradientBoostedReranker) -> Ensemble:
    models = {"popularity": Popularity(), "transitions": Transitions()}
    for model in models.values():
        model.fit(board, np.random.default_rng(0))
    blend = Blend({"popularity": 0.1, "transitions": 1.0})
    reranker_of_models = GradientBoostedReranker(
        ("popularity", "transitions"), reranker.logit_weight, reranker.trees
    )
    return Ensemble(models, blend, board.n_items, {}, reranker_of_models)


def test_a_saved_ensemble_keeps_its_reranker(ensemble: Ensemble) -> None:
    restored = Ensemble.from_files(ensemble.to_files())
    assert restored.reranker == ensemble.reranker
    histories = Histories.from_lists([[0, 2], [], [7]])
    assert np.array_equal(restored.score(histories), ensemble.score(histories))


def test_an_ensemble_scores_in_the_order_of_its_reranker(ensemble: Ensemble) -> None:
    without_reranker = Ensemble(ensemble.models, ensemble.blend, ensemble.items)
    histories = Histories.from_lists([[0, 2]])
    assert not np.array_equal(without_reranker.score(histories), ensemble.score(histories))
    first_reranker = ensemble.score_history(np.array([0, 2], np.int32))
    np.testing.assert_allclose(first_reranker, ensemble.score(histories)[0], atol=1e-5)


def test_a_reranker_without_its_trees_is_refused(ensemble: Ensemble) -> None:
    files = {name: data for name, data in ensemble.to_files().items() if name != "reranker.onnx"}
    with pytest.raises(DataError, match="trees of the reranker are missing"):
        Ensemble.from_files(files)
