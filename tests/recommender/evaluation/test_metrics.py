"""The metrics agree with an independent implementation and with results by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ir_measures
import numpy as np
import pytest
from ir_measures import R, nDCG

from recommender.evaluation.metrics import (
    bootstrap_interval,
    catalogue_coverage,
    is_significantly_better,
    mean_per_user,
    ndcg_at_k,
    rank_targets,
    recall_at_k,
)
from recommender.types import Float32Array, Histories, Int32Array, Int64Array

RankFunction = Callable[[Float32Array, Histories, Int32Array], Int64Array]


def make_int32(*numbers: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.array(numbers, dtype=np.int32)


def make_empty_histories(rows: int) -> Histories:
    return Histories.from_lists([[]] * rows)


def test_recall_and_ndcg_agree_with_an_independent_implementation() -> None:
    rng = np.random.default_rng(3)
    scores = rng.permuted(np.tile(np.arange(40, dtype=np.float32), (60, 1)), axis=1)
    target = rng.integers(0, 40, 60).astype(np.int32)
    run = {}
    for user, row in enumerate(scores):
        run[str(user)] = {str(item): float(score) for item, score in enumerate(row)}
    relevance = {str(user): {str(item): 1} for user, item in enumerate(target)}
    reference = ir_measures.calc_aggregate([nDCG @ 10, R @ 10], relevance, run)
    ranks = rank_targets(scores.copy(), make_empty_histories(60), target)
    assert ndcg_at_k(ranks, 10).mean() == pytest.approx(reference[nDCG @ 10])
    assert recall_at_k(ranks, 10).mean() == pytest.approx(reference[R @ 10])


def is_tied_target_last(rank_function: RankFunction) -> bool:
    return rank_function(np.zeros((1, 5), np.float32), make_empty_histories(1), make_int32(2)).tolist() == [4]


def test_ties_rank_the_target_last() -> None:
    assert is_tied_target_last(rank_targets)


def test_the_tie_check_detects_a_rank_that_counts_only_items_above() -> None:
    def rank_by_items_above(scores: Float32Array, _histories: Histories, target: Int32Array) -> Int64Array:
        return (scores > scores[np.arange(len(target)), target][:, None]).sum(axis=1)

    assert not is_tied_target_last(rank_by_items_above)


def test_history_items_do_not_count_in_the_rank() -> None:
    scores = np.array([[9, 8, 7, 6]], np.float32)
    assert rank_targets(scores, Histories.from_lists([[0, 1]]), make_int32(3)).tolist() == [1]


def test_a_target_already_in_the_history_is_still_ranked() -> None:
    scores = np.array([[9, 8, 7, 6]], np.float32)
    assert rank_targets(scores, Histories.from_lists([[0, 1]]), make_int32(1)).tolist() == [0]


@pytest.mark.parametrize("bad", [-np.inf, np.nan])
def test_a_target_that_cannot_be_scored_is_last(bad: float) -> None:
    scores = np.array([[1, bad, -np.inf, 0]], np.float32)
    assert rank_targets(scores, make_empty_histories(1), make_int32(1)).tolist() == [3]


def test_coverage_counts_distinct_items_and_not_padding() -> None:
    assert catalogue_coverage(np.array([[0, 1], [1, -1]], np.int32), 8) == 0.25


def test_the_interval_contains_the_mean_and_narrows_with_cases() -> None:
    rng = np.random.default_rng(0)
    wide, narrow = (bootstrap_interval(rng.random(n), rng) for n in (50, 5000))
    assert wide.low < wide.mean < wide.high
    assert narrow.high - narrow.low < wide.high - wide.low


def test_the_interval_of_no_cases_is_zero() -> None:
    assert bootstrap_interval(np.empty(0), np.random.default_rng(0)).high == 0


def test_significantly_better_needs_a_difference_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    baseline = rng.random(500)
    assert is_significantly_better(baseline + 0.1, baseline, rng)
    assert not is_significantly_better(baseline, baseline, rng)
    assert not is_significantly_better(rng.permutation(baseline), baseline, rng)


def test_each_user_counts_once_whatever_their_number_of_cases() -> None:
    values = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    assert mean_per_user(values, np.array([7, 7, 7, 2, 9])).tolist() == pytest.approx([1, 1 / 3, 1])
    assert mean_per_user(values, np.arange(5)) is values
    assert mean_per_user(values, None) is values
    assert mean_per_user(values[:0], np.empty(0, np.int64)).size == 0
