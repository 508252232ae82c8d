"""Trees that order the first places: grown, judged, exported, served."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.common.score_blend import Blend, scale_to_z_scores
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
from recommender.types import DataError, Float32Array, Histories
from tests.recommender.candidate_scores import CASES, only_both_together, rehearsal_of

EQUAL = Blend({"one": 1.0, "other": 1.0})


@pytest.fixture(scope="module")
def ranker() -> GradientBoostedReranker:
    trial = fit_reranker_if_better(
        rehearsal_of(*only_both_together()), EQUAL, k=10, rng=np.random.default_rng(0)
    )
    assert trial.reranker is not None
    return trial.reranker


def asked(ranker: GradientBoostedReranker | None, histories: Histories) -> tuple[Float32Array, Float32Array]:
    """Blended scores of new cases before and after the second stage."""
    scores, _ = only_both_together(seed=1)
    ready = {name: scale_to_z_scores(part[: len(histories)].copy()) for name, part in scores.items()}
    before = EQUAL.sum_weighted(ready)
    after = before.copy()
    if ranker is not None:
        ranker.rerank(after, ready, histories)
    return before, after


def test_what_no_sum_can_say_is_learned_and_put_first(ranker: GradientBoostedReranker) -> None:
    _, target = only_both_together(seed=1)
    before, after = asked(ranker, Histories.from_lists([[]] * 100 + [[39]] * 100))
    rows = np.flatnonzero(target[100:200] != 39) + 100
    assert (before[rows].argmax(axis=1) == target[rows]).mean() < 0.7
    assert (after[rows].argmax(axis=1) == target[rows]).mean() > 0.95


def test_the_scores_of_the_places_stay_and_only_change_hands(ranker: GradientBoostedReranker) -> None:
    before, after = asked(ranker, Histories.from_lists([[3, 5]] * 20))
    assert np.array_equal(np.sort(before, axis=1), np.sort(after, axis=1))
    assert not np.array_equal(before, after)


def test_items_of_the_history_keep_their_scores(ranker: GradientBoostedReranker) -> None:
    before, after = asked(ranker, Histories.from_lists([[3, 5]] * 20))
    assert np.array_equal(before[:, [3, 5]], after[:, [3, 5]])


def test_an_empty_history_keeps_its_order(ranker: GradientBoostedReranker) -> None:
    before, after = asked(ranker, Histories.from_lists([[]] * 20))
    assert np.array_equal(before, after)


def test_a_history_of_everything_is_no_fault(ranker: GradientBoostedReranker) -> None:
    before, after = asked(ranker, Histories.from_lists([list(range(40))]))
    assert np.array_equal(before, after)


def test_one_history_is_ordered_as_among_others(ranker: GradientBoostedReranker) -> None:
    _, together = asked(ranker, Histories.from_lists([[3, 5]] * 20))
    _, alone = asked(ranker, Histories.from_lists([[3, 5]]))
    np.testing.assert_allclose(alone[0], together[0], atol=1e-6)


def test_the_exported_trees_say_what_the_grown_ones_say() -> None:
    cases = select_top_candidates(rehearsal_of(*only_both_together()), EQUAL)
    trees = fit_trees(cases, np.random.default_rng(0))
    flat = cases.features[:50].reshape(-1, cases.features.shape[2])
    served = GradientBoostedReranker(("one", "other"), 1.0, export_trees(trees)).compute_logits(
        cases.features[:50]
    )
    np.testing.assert_allclose(served.ravel(), trees.decision_function(flat), atol=1e-4)


def test_where_there_is_nothing_more_to_learn_no_trees_serve() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 40, CASES).astype(np.int32)
    noise = {name: rng.standard_normal((CASES, 40)).astype(np.float32) for name in ("one", "other")}
    trial = fit_reranker_if_better(rehearsal_of(noise, target), EQUAL, k=10, rng=rng)
    assert trial.reranker is None
    assert trial.ndcg_held_out is not None


def test_trees_are_judged_by_cases_they_have_not_seen(ranker: GradientBoostedReranker) -> None:
    """In-sample, trees of this size order pure noise well."""
    rng = np.random.default_rng(2)
    target = rng.integers(0, 40, CASES).astype(np.int32)
    noise = {name: rng.standard_normal((CASES, 40)).astype(np.float32) for name in ("one", "other")}
    trial = fit_reranker_if_better(rehearsal_of(noise, target), EQUAL, k=10, rng=rng)
    assert trial.ndcg_held_out == pytest.approx(trial.ndcg_without, abs=0.02)


def test_choices_made_before_are_no_part_of_the_trial() -> None:
    """Serving leaves items of the history in their places."""
    trial = fit_reranker_if_better(
        rehearsal_of(*only_both_together(), again=True), EQUAL, k=10, rng=np.random.default_rng(0)
    )
    assert trial.reranker is None
    assert trial.ndcg_held_out is None


def test_the_trees_read_only_members_that_are_served() -> None:
    scores, target = only_both_together()
    idle = {"idle": np.random.default_rng(9).standard_normal(scores["one"].shape).astype(np.float32)}
    rehearsal = rehearsal_of({"one": scores["one"], **idle, "other": scores["other"]}, target)
    trial = fit_reranker_if_better(rehearsal, EQUAL, k=10, rng=np.random.default_rng(0))
    assert trial.reranker is not None
    assert trial.reranker.model_names == ("one", "other")
    assert trial.reranker.compute_logits(np.zeros((1, 4, 9), np.float32)).shape == (1, 4)


def test_few_cases_teach_no_order() -> None:
    scores, target = only_both_together()
    few = {name: part[: MIN_CASES - 1] for name, part in scores.items()}
    trial = fit_reranker_if_better(
        rehearsal_of(few, target[: MIN_CASES - 1]), EQUAL, k=10, rng=np.random.default_rng(0)
    )
    assert trial.to_json() == {
        "active": False,
        "logit_weight": None,
        "ndcg_without": trial.ndcg_without,
        "ndcg_held_out": None,
        "cases": MIN_CASES - 1,
    }


def test_the_same_state_of_the_generator_grows_the_same_trees() -> None:
    rehearsal = rehearsal_of(*only_both_together())
    one, other = (
        fit_reranker_if_better(rehearsal, EQUAL, k=10, rng=np.random.default_rng(4)).reranker
        for _ in range(2)
    )
    assert one == other


@pytest.fixture
def ensemble(board: Dataset, ranker: GradientBoostedReranker) -> Ensemble:
    members = {"popularity": Popularity(), "transitions": Transitions()}
    for member in members.values():
        member.fit(board, np.random.default_rng(0))
    blend = Blend({"popularity": 0.1, "transitions": 1.0})
    renamed = GradientBoostedReranker(("popularity", "transitions"), ranker.logit_weight, ranker.trees)
    return Ensemble(members, blend, board.n_items, {}, renamed)


def test_an_ensemble_keeps_its_second_stage_when_saved(ensemble: Ensemble) -> None:
    again = Ensemble.from_files(ensemble.to_files())
    assert again.reranker == ensemble.reranker
    histories = Histories.from_lists([[0, 2], [], [7]])
    assert np.array_equal(again.score(histories), ensemble.score(histories))


def test_an_ensemble_serves_in_the_order_of_its_second_stage(ensemble: Ensemble) -> None:
    plain = Ensemble(ensemble.models, ensemble.blend, ensemble.items)
    histories = Histories.from_lists([[0, 2]])
    assert not np.array_equal(plain.score(histories), ensemble.score(histories))
    one = ensemble.score_history(np.array([0, 2], np.int32))
    np.testing.assert_allclose(one, ensemble.score(histories)[0], atol=1e-5)


def test_a_second_stage_without_its_trees_is_refused(ensemble: Ensemble) -> None:
    files = {name: data for name, data in ensemble.to_files().items() if name != "reranker.onnx"}
    with pytest.raises(DataError, match="trees of the second stage are missing"):
        Ensemble.from_files(files)
