"""Fits the weights of the blend on validation cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from recommender.algorithms.common.score_blend import Blend
from recommender.evaluation.candidate_scores import PADDING_SCORE, CandidateScores, compute_mean_ndcg
from recommender.types import Float32Array, Float64Array

# Popularity always has a small weight: it orders items that no other model distinguishes, and ranks for an empty history.
MIN_POPULARITY_WEIGHT = 0.01
# Factors by which the coordinate ascent multiplies and divides a weight, from coarse to fine.
STEP_FACTORS = (2.0, 1.4, 1.15)
MAX_ROUNDS = 4
MAX_LOGIT_CASES = 3_000


def build_equal_blend(model_names: tuple[str, ...]) -> Blend:
    """Equal weights except for popularity: the blend where there is no validation case."""
    weights = dict.fromkeys(model_names, 1.0)
    if "popularity" in weights:
        weights["popularity"] = MIN_POPULARITY_WEIGHT
    return Blend(weights)


def fit_blend(candidate_scores: CandidateScores, *, k: int = 10) -> Blend:
    """Weights of at least zero that maximise nDCG@k on the candidate scores.

    nDCG is a step function of the weights with many local maxima. A coordinate ascent therefore starts twice: from equal
    weights, and from those of a conditional logit, whose loss is convex. The better result is returned.
    """
    equal_blend = build_equal_blend(candidate_scores.model_names)
    from_equal = _run_coordinate_ascent(candidate_scores, candidate_scores.get_weights(equal_blend), k)
    from_logit = _run_coordinate_ascent(candidate_scores, _fit_conditional_logit(candidate_scores), k)
    best = from_equal
    if from_logit.ndcg > from_equal.ndcg:
        best = from_logit
    return _build_blend(candidate_scores, best.weights)


def refit_blend(
    candidate_scores: CandidateScores,
    blend: Blend,
    *,
    k: int,
) -> Blend:
    """A coordinate ascent from the weights of `blend`, for the models of `candidate_scores` alone."""
    start = candidate_scores.get_weights(blend)
    if not start.any():
        start = np.ones(len(start))
    return _build_blend(candidate_scores, _run_coordinate_ascent(candidate_scores, start, k).weights)


def _build_blend(candidate_scores: CandidateScores, weights: Float64Array) -> Blend:
    # Models are combined as z-scores, so only ratios of weights matter: the largest weight becomes 1.
    scaled = (weights / weights.max()).tolist()
    return Blend(dict(zip(candidate_scores.model_names, scaled, strict=True)))


@dataclass
class _CoordinateAscent:
    """State of the search: current weights, their blended scores by chunk, and their nDCG@k."""

    candidate_scores: CandidateScores
    k: int
    min_weights: Float64Array
    weights: Float64Array
    blended_scores: list[Float32Array]
    ndcg: float

    def run_round(self, factor: float) -> None:
        """Tries other values of each weight in turn; keeps those that raise nDCG."""
        for index in range(len(self.weights)):
            for value in _list_trial_weights(self.weights[index], factor, self.weights.max()):
                self._try_weight(index, value)

    def _try_weight(self, index: int, value: float) -> None:
        weights = self.weights.copy()
        weights[index] = max(value, self.min_weights[index])
        if not weights.any():
            return
        # Only one weight differs: adding the difference is cheaper than summing over all models again.
        change = np.float32(weights[index] - self.weights[index])
        blended_scores = []
        for total, chunk in zip(self.blended_scores, self.candidate_scores.chunks, strict=True):
            blended_scores.append(total + change * chunk[index])
        ndcg = compute_mean_ndcg(blended_scores, self.k)
        if ndcg > self.ndcg:
            self.weights, self.blended_scores, self.ndcg = weights, blended_scores, ndcg


def _run_coordinate_ascent(
    candidate_scores: CandidateScores, start: Float64Array, k: int
) -> _CoordinateAscent:
    """Multiplies, divides and zeroes each weight in turn while nDCG rises; zero weights are tried again."""
    min_weights = np.zeros(len(start))
    if "popularity" in candidate_scores.model_names:
        min_weights[candidate_scores.model_names.index("popularity")] = MIN_POPULARITY_WEIGHT
    weights = np.maximum(start, min_weights)
    blended_scores = candidate_scores.combine_scores(weights)
    search = _CoordinateAscent(
        candidate_scores=candidate_scores,
        k=k,
        min_weights=min_weights,
        weights=weights,
        blended_scores=blended_scores,
        ndcg=compute_mean_ndcg(blended_scores, k),
    )
    for factor in STEP_FACTORS:
        for _ in range(MAX_ROUNDS):
            ndcg_before = search.ndcg
            search.run_round(factor)
            if search.ndcg <= ndcg_before:
                break
    return search


def _list_trial_weights(weight: float, factor: float, max_weight: float) -> tuple[float, ...]:
    if weight > 0:
        return weight * factor, weight / factor, 0.0
    return 0.1 * max_weight, 0.3 * max_weight


def _fit_conditional_logit(candidate_scores: CandidateScores) -> Float64Array:
    """Maximum-likelihood weights of the targets among their candidates: a conditional logit (McFadden 1974)."""
    sample = candidate_scores.limit_cases(MAX_LOGIT_CASES)
    chunks = [chunk for chunk in sample.chunks if chunk.size]
    n_cases = max(sample.n_cases, 1)

    def compute_loss(weights: Float64Array) -> tuple[float, Float64Array]:
        """Mean negative log-likelihood and its gradient."""
        loss, gradient = 0.0, np.zeros(len(weights))
        for chunk in chunks:
            scores = np.tensordot(weights.astype(np.float32), chunk, axes=1)
            scores[chunk[0] <= PADDING_SCORE] = -np.inf
            log_likelihood = special.log_softmax(scores, axis=1)
            loss -= float(log_likelihood[:, 0].sum())
            # Expected minus observed scores. Padding has probability zero, and PADDING_SCORE times zero is zero.
            expected = np.tensordot(chunk, np.exp(log_likelihood), axes=2)
            gradient += expected - chunk[:, :, 0].sum(axis=1)
        return loss / n_cases, gradient / n_cases

    n_models = len(candidate_scores.model_names)
    result = optimize.minimize(
        compute_loss,
        np.full(n_models, 0.5),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * n_models,
        options={"maxiter": 60},
    )
    return np.asarray(result.x, dtype=np.float64)
