from __future__ import annotations

import numpy as np
import pytest

from recommender.algorithms.base import top_k
from recommender.algorithms.common.score_blend import Blend
from recommender.evaluation.candidate_scores import PADDING_SCORE, CandidateScores
from recommender.fitting.blend_weights import fit_blend
from recommender.numeric import scale_to_z_scores
from recommender.types import DataError, Histories


def test_standardised_rows_have_mean_zero_and_deviation_one() -> None:
    scores = scale_to_z_scores(np.random.default_rng(0).random((3, 50)).astype(np.float32) * 9)
    np.testing.assert_allclose(scores.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(scores.std(axis=1), 1, atol=1e-5)


def test_a_constant_row_becomes_zeros() -> None:
    assert (scale_to_z_scores(np.full((1, 4), 3, np.float32)) == 0).all()


def test_a_model_without_weight_does_not_count() -> None:
    blend = Blend({"good": 1.0, "bad": 0.0})
    good = np.array([3, 1, 2], np.float32)
    assert blend.combine({"good": good, "bad": good[::-1].copy()}).argmax() == 0


def test_a_blend_without_scores_is_refused() -> None:
    with pytest.raises(DataError):
        Blend({"a": 1.0}).combine({})


def make_candidate_scores(noise: float) -> CandidateScores:
    rng = np.random.default_rng(1)
    target = rng.integers(0, 60, 300).astype(np.int32)
    useless = rng.standard_normal((300, 60)).astype(np.float32)
    useful = noise * rng.standard_normal((300, 60)).astype(np.float32)
    useful[np.arange(300), target] += 1
    candidate_scores = CandidateScores(("useless", "useful"))
    scores = {"useless": scale_to_z_scores(useless), "useful": scale_to_z_scores(useful)}
    candidate_scores.add_batch(
        scores,
        {name: top_k(values, 30).items for name, values in scores.items()},
        target,
        Histories.from_lists([[]] * 300),
    )
    return candidate_scores


def test_the_weight_goes_to_the_informative_model() -> None:
    weights = fit_blend(make_candidate_scores(noise=0.4)).weights
    assert weights["useful"] == 1.0
    assert weights["useless"] < 0.3


def test_ties_count_against_the_target() -> None:
    candidate_scores = CandidateScores(("flat",))
    flat = np.zeros((1, 30), np.float32)
    candidate_scores.add_batch(
        {"flat": flat}, {"flat": top_k(flat, 20).items}, np.array([4], np.int32), Histories.from_lists([[]])
    )
    assert candidate_scores.compute_ndcg(np.ones(1), 10) == 0.0


def test_padding_never_displaces_a_target() -> None:
    candidate_scores = CandidateScores(
        ("a",), [np.array([[[0.0, PADDING_SCORE, PADDING_SCORE]]], np.float32)]
    )
    assert candidate_scores.compute_ndcg(np.ones(1), 10) == 1.0
