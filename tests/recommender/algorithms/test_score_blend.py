from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.base import top_k
from recommender.algorithms.common.score_blend import Blend, scale_to_z_scores
from recommender.evaluation.candidate_scores import PADDING_SCORE, CandidateScores
from recommender.fitting.blend_weights import fit_blend
from recommender.types import DataError, Histories


def test_standardised_rows_have_mean_zero_and_deviation_one() -> None:
    scores = scale_to_z_scores(np.random.default_rng(0).random((3, 50)).astype(np.float32) * 9)
    np.testing.assert_allclose(scores.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(scores.std(axis=1), 1, atol=1e-5)


def test_a_constant_row_says_nothing() -> None:
    assert (scale_to_z_scores(np.full((1, 4), 3, np.float32)) == 0).all()


def test_a_member_without_weight_does_not_count() -> None:
    blend = Blend({"good": 1.0, "bad": 0.0})
    good = np.array([3, 1, 2], np.float32)
    assert blend.combine({"good": good, "bad": good[::-1].copy()}).argmax() == 0


def test_a_blend_without_scores_is_refused() -> None:
    with pytest.raises(DataError):
        Blend({"a": 1.0}).combine({})


def test_a_blend_survives_json() -> None:
    blend = Blend({"a": 0.25, "b": 1.0})
    assert Blend.from_json(blend.to_json()) == blend


def rehearsed(noise: float) -> CandidateScores:
    rng = np.random.default_rng(1)
    target = rng.integers(0, 60, 300).astype(np.int32)
    useless = rng.standard_normal((300, 60)).astype(np.float32)
    useful = noise * rng.standard_normal((300, 60)).astype(np.float32)
    useful[np.arange(300), target] += 1
    rehearsal = CandidateScores(("useless", "useful"))
    scores = {"useless": scale_to_z_scores(useless), "useful": scale_to_z_scores(useful)}
    rehearsal.add_batch(
        scores,
        {name: top_k(part, 30).items for name, part in scores.items()},
        target,
        Histories.from_lists([[]] * 300),
    )
    return rehearsal


def test_the_weight_goes_to_the_member_that_knows() -> None:
    weights = fit_blend(rehearsed(noise=0.4)).weights
    assert weights["useful"] == 1.0
    assert weights["useless"] < 0.3


def test_a_rehearsal_counts_ties_against_the_target() -> None:
    rehearsal = CandidateScores(("flat",))
    flat = np.zeros((1, 30), np.float32)
    rehearsal.add_batch(
        {"flat": flat}, {"flat": top_k(flat, 20).items}, np.array([4], np.int32), Histories.from_lists([[]])
    )
    assert rehearsal.compute_ndcg(np.ones(1), 10) == 0.0


def test_padding_never_displaces_a_target() -> None:
    rehearsal = CandidateScores(("a",), [np.array([[[0.0, PADDING_SCORE, PADDING_SCORE]]], np.float32)])
    assert rehearsal.compute_ndcg(np.ones(1), 10) == 1.0
