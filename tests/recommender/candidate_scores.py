"""Validation cases with a known answer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recommender.algorithms.base import top_k
from recommender.algorithms.common.score_blend import scale_to_z_scores
from recommender.evaluation.candidate_scores import CandidateScores
from recommender.types import Float32Array, Histories

CASES, WIDTH = 1500, 40


def rehearsal_of(
    scores: Mapping[str, Float32Array],
    target: np.ndarray[tuple[int], np.dtype[np.int32]],
    *,
    again: bool = False,
) -> CandidateScores:
    """Each case asks for target[i] with a history of one other item, or of the target itself."""
    rehearsal = CandidateScores(tuple(scores))
    ready = {name: scale_to_z_scores(part.copy()) for name, part in scores.items()}
    best = {name: top_k(part, WIDTH).items for name, part in ready.items()}
    histories = Histories.from_lists([[item if again else (item + 1) % WIDTH] for item in target.tolist()])
    rehearsal.add_batch(ready, best, target, histories)
    return rehearsal


def only_both_together(
    *, seed: int = 0
) -> tuple[dict[str, Float32Array], np.ndarray[tuple[int], np.dtype[np.int32]]]:
    """Scores of two members; the target is the one item that is high with both or low with both: no sum tells it."""
    rng = np.random.default_rng(seed)
    one, other = (rng.choice([-1.0, 1.0], (CASES, WIDTH)) for _ in range(2))
    other = np.where(one == other, -other, other)
    target = rng.integers(0, WIDTH, CASES).astype(np.int32)
    rows = np.arange(CASES)
    other[rows, target] = one[rows, target]
    noise = [0.1 * rng.standard_normal((CASES, WIDTH)) for _ in range(2)]
    return {
        "one": (one + noise[0]).astype(np.float32),
        "other": (other + noise[1]).astype(np.float32),
    }, target
