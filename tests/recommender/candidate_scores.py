"""Candidate scores of validation cases with known targets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recommender.algorithms.base import top_k
from recommender.evaluation.candidate_scores import CandidateScores
from recommender.numeric import scale_to_z_scores
from recommender.types import Float32Array, Histories

CASES, WIDTH = 1500, 40


def build_candidate_scores(
    scores: Mapping[str, Float32Array],
    target: np.ndarray[tuple[int], np.dtype[np.int32]],
    *,
    target_in_history: bool = False,
) -> CandidateScores:
    """Builds candidate scores of cases with the given targets; a history holds the target, or one other item."""
    candidate_scores = CandidateScores(tuple(scores))
    z_scores = {name: scale_to_z_scores(values.copy()) for name, values in scores.items()}
    top_items = {name: top_k(values, WIDTH).items for name, values in z_scores.items()}
    rows = []
    for item in target.tolist():
        history_item = item if target_in_history else (item + 1) % WIDTH
        rows.append([history_item])
    candidate_scores.add_batch(z_scores, top_items, target, Histories.from_lists(rows))
    return candidate_scores


def make_interaction_scores(
    *, seed: int = 0
) -> tuple[dict[str, Float32Array], np.ndarray[tuple[int], np.dtype[np.int32]]]:
    """Makes scores of two models and targets that only their interaction reveals.

    The target is the one item on which both models agree, high or low: no weighted sum separates it.
    """
    rng = np.random.default_rng(seed)
    first_scores = rng.choice([-1.0, 1.0], (CASES, WIDTH))
    second_scores = rng.choice([-1.0, 1.0], (CASES, WIDTH))
    second_scores = np.where(first_scores == second_scores, -second_scores, second_scores)
    target = rng.integers(0, WIDTH, CASES).astype(np.int32)
    rows = np.arange(CASES)
    second_scores[rows, target] = first_scores[rows, target]
    first_noise = 0.1 * rng.standard_normal((CASES, WIDTH))
    second_noise = 0.1 * rng.standard_normal((CASES, WIDTH))
    scores = {
        "one": (first_scores + first_noise).astype(np.float32),
        "other": (second_scores + second_noise).astype(np.float32),
    }
    return scores, target
