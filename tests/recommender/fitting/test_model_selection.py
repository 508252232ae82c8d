"""The gain of each model of an ensemble, and which models are kept."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.common.score_blend import Blend
from recommender.evaluation.candidate_scores import CandidateScores
from recommender.fitting.model_selection import list_active_models, prune_models
from tests.recommender.candidate_scores import CASES, WIDTH, build_candidate_scores

COSTS_MS = {"popularity": 0.1, "useful": 1.0, "other": 1.0, "copy": 2.0}
BLEND = Blend({"popularity": 0.01, "useful": 0.5, "other": 1.0, "copy": 0.5})


@pytest.fixture(scope="module")
def candidate_scores() -> CandidateScores:
    """Two informative models, a copy of the first one, and a popularity model without information."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, WIDTH, CASES).astype(np.int32)
    scores = {name: rng.standard_normal((CASES, WIDTH)).astype(np.float32) for name in ("useful", "other")}
    for values in scores.values():
        values[np.arange(CASES), target] += 1.5
    flat = np.zeros((CASES, WIDTH), np.float32)
    return build_candidate_scores({"popularity": flat, **scores, "copy": scores["useful"].copy()}, target)


def test_a_model_without_gain_is_dropped(candidate_scores: CandidateScores) -> None:
    choice = prune_models(candidate_scores, BLEND, COSTS_MS, k=10)
    assert list_active_models(choice.blend) == ["popularity", "useful", "other"]
    assert choice.dropped == {"copy": "no_gain"}
    assert choice.selected_ndcg == pytest.approx(choice.full_ndcg, rel=0.002)


def test_the_selection_has_the_ndcg_without_each_model(candidate_scores: CandidateScores) -> None:
    choice = prune_models(candidate_scores, BLEND, COSTS_MS, k=10)
    assert set(choice.ndcg_without) == set(BLEND.weights)
    assert choice.ndcg_without["other"] < choice.full_ndcg - 0.05
    assert choice.ndcg_without["copy"] == pytest.approx(choice.full_ndcg, abs=0.01)


def test_models_of_enough_gain_are_kept_beyond_the_time_budget(candidate_scores: CandidateScores) -> None:
    choice = prune_models(candidate_scores, BLEND, COSTS_MS, k=10, budget_ms=0.01)
    assert {"useful", "other"} <= {*list_active_models(choice.blend)}


def test_popularity_is_always_kept_for_empty_histories(candidate_scores: CandidateScores) -> None:
    choice = prune_models(candidate_scores, BLEND, COSTS_MS | {"popularity": 90.0}, k=10, budget_ms=0.01)
    assert choice.blend.weights["popularity"] > 0


def test_content_models_are_kept_for_new_items(
    candidate_scores: CandidateScores,
) -> None:
    cases = CandidateScores(
        ("popularity", "useful", "other", "content"),
        candidate_scores.chunks,
        candidate_scores.query_features,
        candidate_scores.target_in_history,
    )
    blend = Blend({"popularity": 0.01, "useful": 0.5, "other": 1.0, "content": 0.5})
    costs = {"popularity": 0.1, "useful": 1.0, "other": 1.0, "content": 9.0}
    assert prune_models(cases, blend, costs, k=10, budget_ms=0.01).blend.weights["content"] > 0


def test_nothing_is_dropped_while_all_models_are_fast(candidate_scores: CandidateScores) -> None:
    low_costs = dict.fromkeys(COSTS_MS, 0.2)
    assert prune_models(candidate_scores, BLEND, low_costs, k=10).dropped == {}


def add_slight_model(candidate_scores: CandidateScores) -> tuple[CandidateScores, Blend]:
    """Adds a third model with a gain of about half a percent."""
    rng = np.random.default_rng(5)
    slight_scores = rng.standard_normal((CASES, candidate_scores.chunks[0].shape[2])).astype(np.float32)
    slight_scores[:, 0] += 0.22
    candidate_scores_with_slight = CandidateScores(
        ("popularity", "useful", "other", "slight"),
        [np.concatenate([candidate_scores.chunks[0][:3], slight_scores[None]])],
        candidate_scores.query_features,
        candidate_scores.target_in_history,
    )
    return candidate_scores_with_slight, Blend(
        {"popularity": 0.01, "useful": 1.0, "other": 1.0, "slight": 0.2}
    )


def test_a_slow_model_is_dropped_only_beyond_the_time_budget(candidate_scores: CandidateScores) -> None:
    cases, blend = add_slight_model(candidate_scores)
    costs = COSTS_MS | {"slight": 9.0}
    within_budget = prune_models(cases, blend, costs, k=10)
    beyond_budget = prune_models(cases, blend, costs, k=10, budget_ms=4.0)
    assert within_budget.dropped == {}
    assert beyond_budget.dropped == {"slight": "too_slow"}
    assert cases.compute_blend_ndcg(beyond_budget.blend, 10) >= 0.99 * within_budget.full_ndcg


def test_a_model_of_weight_zero_is_reported_as_dropped(candidate_scores: CandidateScores) -> None:
    blend = Blend({"popularity": 0.01, "useful": 1.0, "other": 1.0, "copy": 0.0})
    assert prune_models(candidate_scores, blend, COSTS_MS, k=10).dropped == {"copy": "no_gain"}
