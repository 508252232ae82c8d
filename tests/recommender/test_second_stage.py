"""Trees that order the first places: grown, judged, exported, served."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.blend import Blend, standardised
from recommender.algorithms.ensemble import Ensemble
from recommender.algorithms.popularity import Popularity
from recommender.algorithms.ranker import Ranker
from recommender.algorithms.transitions import Transitions
from recommender.dataset import Dataset
from recommender.evaluation.ranking_training import LEAST_CASES, exported, first_places, grown, try_ranker
from recommender.types import DataError, Floats, Histories
from tests.recommender.rehearsals import CASES, only_both_together, rehearsal_of

EQUAL = Blend({"one": 1.0, "other": 1.0})


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    trial = try_ranker(rehearsal_of(*only_both_together()), EQUAL, k=10, rng=np.random.default_rng(0))
    assert trial.ranker is not None
    return trial.ranker


def asked(ranker: Ranker | None, histories: Histories) -> tuple[Floats, Floats]:
    """Blended scores of new cases before and after the second stage."""
    scores, _ = only_both_together(seed=1)
    ready = {name: standardised(part[: len(histories)].copy()) for name, part in scores.items()}
    before = EQUAL.add_up(ready)
    after = before.copy()
    if ranker is not None:
        ranker.reorder(after, ready, histories)
    return before, after


def test_what_no_sum_can_say_is_learned_and_put_first(ranker: Ranker) -> None:
    _, target = only_both_together(seed=1)
    before, after = asked(ranker, Histories.of([[]] * 100 + [[39]] * 100))
    rows = np.flatnonzero(target[100:200] != 39) + 100
    assert (before[rows].argmax(axis=1) == target[rows]).mean() < 0.7
    assert (after[rows].argmax(axis=1) == target[rows]).mean() > 0.95


def test_the_scores_of_the_places_stay_and_only_change_hands(ranker: Ranker) -> None:
    before, after = asked(ranker, Histories.of([[3, 5]] * 20))
    assert np.array_equal(np.sort(before, axis=1), np.sort(after, axis=1))
    assert not np.array_equal(before, after)


def test_items_of_the_history_keep_their_scores(ranker: Ranker) -> None:
    before, after = asked(ranker, Histories.of([[3, 5]] * 20))
    assert np.array_equal(before[:, [3, 5]], after[:, [3, 5]])


def test_an_empty_history_keeps_its_order(ranker: Ranker) -> None:
    before, after = asked(ranker, Histories.of([[]] * 20))
    assert np.array_equal(before, after)


def test_a_history_of_everything_is_no_fault(ranker: Ranker) -> None:
    before, after = asked(ranker, Histories.of([list(range(40))]))
    assert np.array_equal(before, after)


def test_one_history_is_ordered_as_among_others(ranker: Ranker) -> None:
    _, together = asked(ranker, Histories.of([[3, 5]] * 20))
    _, alone = asked(ranker, Histories.of([[3, 5]]))
    np.testing.assert_allclose(alone[0], together[0], atol=1e-6)


def test_the_exported_trees_say_what_the_grown_ones_say() -> None:
    cases = first_places(rehearsal_of(*only_both_together()), EQUAL)
    trees = grown(cases, np.random.default_rng(0))
    flat = cases.evidence[:50].reshape(-1, cases.evidence.shape[2])
    served = Ranker(("one", "other"), 1.0, exported(trees)).logits(cases.evidence[:50])
    np.testing.assert_allclose(served.ravel(), trees.decision_function(flat), atol=1e-4)


def test_where_there_is_nothing_more_to_learn_no_trees_serve() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 40, CASES).astype(np.int32)
    noise = {name: rng.standard_normal((CASES, 40)).astype(np.float32) for name in ("one", "other")}
    trial = try_ranker(rehearsal_of(noise, target), EQUAL, k=10, rng=rng)
    assert trial.ranker is None
    assert trial.held_out is not None


def test_trees_are_judged_by_cases_they_have_not_seen(ranker: Ranker) -> None:
    """In-sample, trees of this size order pure noise well."""
    rng = np.random.default_rng(2)
    target = rng.integers(0, 40, CASES).astype(np.int32)
    noise = {name: rng.standard_normal((CASES, 40)).astype(np.float32) for name in ("one", "other")}
    trial = try_ranker(rehearsal_of(noise, target), EQUAL, k=10, rng=rng)
    assert trial.held_out == pytest.approx(trial.without, abs=0.02)


def test_choices_made_before_are_no_part_of_the_trial() -> None:
    """Serving leaves items of the history in their places."""
    trial = try_ranker(
        rehearsal_of(*only_both_together(), again=True), EQUAL, k=10, rng=np.random.default_rng(0)
    )
    assert trial.ranker is None
    assert trial.held_out is None


def test_the_trees_read_only_members_that_are_served() -> None:
    scores, target = only_both_together()
    idle = {"idle": np.random.default_rng(9).standard_normal(scores["one"].shape).astype(np.float32)}
    rehearsal = rehearsal_of({"one": scores["one"], **idle, "other": scores["other"]}, target)
    trial = try_ranker(rehearsal, EQUAL, k=10, rng=np.random.default_rng(0))
    assert trial.ranker is not None
    assert trial.ranker.members == ("one", "other")
    assert trial.ranker.logits(np.zeros((1, 4, 9), np.float32)).shape == (1, 4)


def test_few_cases_teach_no_order() -> None:
    scores, target = only_both_together()
    few = {name: part[: LEAST_CASES - 1] for name, part in scores.items()}
    trial = try_ranker(
        rehearsal_of(few, target[: LEAST_CASES - 1]), EQUAL, k=10, rng=np.random.default_rng(0)
    )
    assert trial.to_json() == {
        "served": False,
        "mix": None,
        "ndcg_without": trial.without,
        "ndcg_held_out": None,
        "cases": LEAST_CASES - 1,
    }


def test_the_same_state_of_the_generator_grows_the_same_trees() -> None:
    rehearsal = rehearsal_of(*only_both_together())
    one, other = (try_ranker(rehearsal, EQUAL, k=10, rng=np.random.default_rng(4)).ranker for _ in range(2))
    assert one == other


@pytest.fixture
def ensemble(board: Dataset, ranker: Ranker) -> Ensemble:
    members = {"popularity": Popularity(), "transitions": Transitions()}
    for member in members.values():
        member.fit(board, np.random.default_rng(0))
    blend = Blend({"popularity": 0.1, "transitions": 1.0})
    renamed = Ranker(("popularity", "transitions"), ranker.mix, ranker.trees)
    return Ensemble(members, blend, board.items, {}, renamed)


def test_an_ensemble_keeps_its_second_stage_when_saved(ensemble: Ensemble) -> None:
    again = Ensemble.from_files(ensemble.to_files())
    assert again.ranker == ensemble.ranker
    histories = Histories.of([[0, 2], [], [7]])
    assert np.array_equal(again.score(histories), ensemble.score(histories))


def test_an_ensemble_serves_in_the_order_of_its_second_stage(ensemble: Ensemble) -> None:
    plain = Ensemble(ensemble.members, ensemble.blend, ensemble.items)
    histories = Histories.of([[0, 2]])
    assert not np.array_equal(plain.score(histories), ensemble.score(histories))
    one = ensemble.score_one(np.array([0, 2], np.int32))
    np.testing.assert_allclose(one, ensemble.score(histories)[0], atol=1e-5)


def test_a_second_stage_without_its_trees_is_refused(ensemble: Ensemble) -> None:
    files = {name: data for name, data in ensemble.to_files().items() if name != "second_stage.onnx"}
    with pytest.raises(DataError, match="trees of the second stage are missing"):
        Ensemble.from_files(files)
