"""What each member is worth, and which are served."""

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
def rehearsal() -> CandidateScores:
    """Two members that know something, a copy of the first, and popularity that knows nothing."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, WIDTH, CASES).astype(np.int32)
    scores = {name: rng.standard_normal((CASES, WIDTH)).astype(np.float32) for name in ("useful", "other")}
    for part in scores.values():
        part[np.arange(CASES), target] += 1.5
    flat = np.zeros((CASES, WIDTH), np.float32)
    return build_candidate_scores({"popularity": flat, **scores, "copy": scores["useful"].copy()}, target)


def test_a_member_that_adds_nothing_is_not_served(rehearsal: CandidateScores) -> None:
    choice = prune_models(rehearsal, BLEND, COSTS_MS, k=10)
    assert list_active_models(choice.blend) == ["popularity", "useful", "other"]
    assert choice.dropped == {"copy": "no_gain"}
    assert choice.selected_ndcg == pytest.approx(choice.full_ndcg, rel=0.002)


def test_the_table_has_the_blend_without_each_member(rehearsal: CandidateScores) -> None:
    choice = prune_models(rehearsal, BLEND, COSTS_MS, k=10)
    assert set(choice.ndcg_without) == set(BLEND.weights)
    assert choice.ndcg_without["other"] < choice.full_ndcg - 0.05
    assert choice.ndcg_without["copy"] == pytest.approx(choice.full_ndcg, abs=0.01)


def test_what_is_worth_its_time_is_served_though_it_takes_too_long(rehearsal: CandidateScores) -> None:
    choice = prune_models(rehearsal, BLEND, COSTS_MS, k=10, budget_ms=0.01)
    assert {"useful", "other"} <= {*list_active_models(choice.blend)}


def test_popularity_always_serves_since_it_answers_an_empty_history(rehearsal: CandidateScores) -> None:
    choice = prune_models(rehearsal, BLEND, COSTS_MS | {"popularity": 90.0}, k=10, budget_ms=0.01)
    assert choice.blend.weights["popularity"] > 0


def test_what_places_new_items_serves_though_hidden_events_do_not_ask_for_it(
    rehearsal: CandidateScores,
) -> None:
    cases = CandidateScores(
        ("popularity", "useful", "other", "content"),
        rehearsal.chunks,
        rehearsal.query_features,
        rehearsal.target_in_history,
    )
    blend = Blend({"popularity": 0.01, "useful": 0.5, "other": 1.0, "content": 0.5})
    costs = {"popularity": 0.1, "useful": 1.0, "other": 1.0, "content": 9.0}
    assert prune_models(cases, blend, costs, k=10, budget_ms=0.01).blend.weights["content"] > 0


def test_while_all_take_little_nothing_is_dropped(rehearsal: CandidateScores) -> None:
    cheap = dict.fromkeys(COSTS_MS, 0.2)
    assert prune_models(rehearsal, BLEND, cheap, k=10).dropped == {}


def add_slight_model(rehearsal: CandidateScores) -> tuple[CandidateScores, Blend]:
    """A third member that adds about half a percent."""
    rng = np.random.default_rng(5)
    part = rng.standard_normal((CASES, rehearsal.chunks[0].shape[2])).astype(np.float32)
    part[:, 0] += 0.22
    slightly = CandidateScores(
        ("popularity", "useful", "other", "slight"),
        [np.concatenate([rehearsal.chunks[0][:3], part[None]])],
        rehearsal.query_features,
        rehearsal.target_in_history,
    )
    return slightly, Blend({"popularity": 0.01, "useful": 1.0, "other": 1.0, "slight": 0.2})


def test_a_member_goes_for_its_time_only_when_the_time_is_short(rehearsal: CandidateScores) -> None:
    cases, blend = add_slight_model(rehearsal)
    costs = COSTS_MS | {"slight": 9.0}
    patient = prune_models(cases, blend, costs, k=10)
    hurried = prune_models(cases, blend, costs, k=10, budget_ms=4.0)
    assert patient.dropped == {}
    assert hurried.dropped == {"slight": "too_slow"}
    assert cases.compute_blend_ndcg(hurried.blend, 10) >= 0.99 * patient.full_ndcg


def test_a_member_of_weight_zero_is_said_not_to_be_served(rehearsal: CandidateScores) -> None:
    blend = Blend({"popularity": 0.01, "useful": 1.0, "other": 1.0, "copy": 0.0})
    assert prune_models(rehearsal, blend, COSTS_MS, k=10).dropped == {"copy": "no_gain"}
