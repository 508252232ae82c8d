"""Fits the reranker on validation cases and checks on held-out cases whether it improves the order. Loads scikit-learn and onnx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.reranker import (
    N_CANDIDATES,
    GradientBoostedReranker,
    build_candidate_features,
)
from recommender.evaluation.candidate_scores import PADDING_SCORE, CandidateScores
from recommender.evaluation.metrics import is_significantly_better, ndcg_at_k
from recommender.fitting.reranker_export import export_trees
from recommender.types import BoolArray, Float32Array, Int64Array

# Weights of the tree logit beside the blended score, from which the best on held-out cases is chosen.
LOGIT_WEIGHTS = (0.2, 0.5, 1.5, 5.0)
MIN_CASES = 400
MAX_CASES = 30_000
# Fraction of the non-target candidates that the trees learn from; all of them gave no better order.
NEGATIVE_SAMPLE_RATE = 0.3


@dataclass(frozen=True)
class CandidateLists:
    """The blend's best candidates of each case.

    features: float32 (cases, candidates, features).
    blended_scores: float32 (cases, candidates).
    target_position: position of the target among the candidates, -1 where it is not one of them, shape (cases,).
    target_rank: rank of the target in the whole catalogue by blended score, shape (cases,).
    """

    features: Float32Array
    blended_scores: Float32Array
    target_position: Int64Array
    target_rank: Int64Array

    def __len__(self) -> int:
        return len(self.target_rank)

    def take(self, rows: Int64Array) -> CandidateLists:
        """The cases with these numbers."""
        return CandidateLists(
            features=self.features[rows],
            blended_scores=self.blended_scores[rows],
            target_position=self.target_position[rows],
            target_rank=self.target_rank[rows],
        )

    def rerank_targets(self, logits: Float32Array, logit_weight: float) -> Int64Array:
        """Rank of each target when candidates are ordered by blended score plus weighted logit; ties against it."""
        adjusted_scores = self.blended_scores + np.float32(logit_weight) * logits
        rows = np.flatnonzero(self.target_position >= 0)
        target_scores = adjusted_scores[rows, self.target_position[rows]]
        ranks = self.target_rank.copy()
        # The target itself is one of the candidates that score at least as high.
        ranks[rows] = (adjusted_scores[rows] >= target_scores[:, None]).sum(axis=1) - 1
        return ranks


@dataclass(frozen=True)
class RerankerTrial:
    """Mean nDCG on held-out cases with and without the reranker, which is None where it does not improve the order."""

    reranker: GradientBoostedReranker | None
    ndcg_without: float
    ndcg_held_out: float | None
    n_cases: int

    def to_json(self) -> dict[str, Any]:
        """The entry "reranker" of the training report."""
        logit_weight = None
        if self.reranker:
            logit_weight = self.reranker.logit_weight
        return {
            "active": self.reranker is not None,
            "logit_weight": logit_weight,
            "ndcg_without": self.ndcg_without,
            "ndcg_held_out": self.ndcg_held_out,
            "cases": self.n_cases,
        }


def fit_reranker_if_better(
    candidate_scores: CandidateScores,
    blend: Blend,
    *,
    k: int,
    rng: np.random.Generator,
) -> RerankerTrial:
    """Fits gradient-boosted trees by two-fold cross-fitting: trees of each half of the cases order the other half.

    The reranker is returned where that order is significantly better than the blend's own (95 % interval of the paired
    difference in nDCG@k above zero); it is then fitted on all cases.

    Args:
        candidate_scores: validation scores of all models.
        blend: weights of the models.
        k: length of the evaluated lists.
        rng: draws negatives, tree seeds and bootstrap resamples.
    """
    cases = select_top_candidates(candidate_scores, blend)
    ndcg_before = ndcg_at_k(cases.target_rank, k)
    mean_before = float(ndcg_before.mean()) if len(cases) else 0.0
    if (cases.target_position >= 0).sum() < MIN_CASES:
        return RerankerTrial(None, mean_before, None, len(cases))
    logits = _predict_held_out_logits(cases, rng)
    logit_weight = _choose_logit_weight(cases, logits, k)
    ndcg_after = ndcg_at_k(cases.rerank_targets(logits, logit_weight), k)
    is_better = is_significantly_better(ndcg_after, ndcg_before, rng)
    reranker = None
    if is_better:
        model_names = tuple(name for name in candidate_scores.model_names if blend.weights.get(name))
        reranker = GradientBoostedReranker(model_names, logit_weight, export_trees(fit_trees(cases, rng)))
    return RerankerTrial(reranker, mean_before, float(ndcg_after.mean()), len(cases))


def _predict_held_out_logits(cases: CandidateLists, rng: np.random.Generator) -> Float32Array:
    """Logits of each case by trees that were fitted on the other half, float32 (cases, candidates)."""
    logits = np.empty(cases.blended_scores.shape, np.float32)
    is_even = np.arange(len(cases)) % 2 == 0
    for held_out in (is_even, ~is_even):
        trees = fit_trees(cases.take(np.flatnonzero(~held_out)), rng)
        features = cases.features[held_out]
        with threadpool_limits(1, "openmp"):
            predicted = trees.decision_function(features.reshape(-1, features.shape[2]))
        logits[held_out] = predicted.reshape(features.shape[:2])
    return logits


def _choose_logit_weight(cases: CandidateLists, logits: Float32Array, k: int) -> float:
    def compute_ndcg(logit_weight: float) -> float:
        return float(ndcg_at_k(cases.rerank_targets(logits, logit_weight), k).mean())

    return max(LOGIT_WEIGHTS, key=compute_ndcg)


def select_top_candidates(candidate_scores: CandidateScores, blend: Blend) -> CandidateLists:
    """The best N_CANDIDATES candidates by blended score, of at most about MAX_CASES evenly spaced cases."""
    sample = candidate_scores.limit_cases(MAX_CASES)
    weights = sample.get_weights(blend)
    widths = [chunk.shape[2] for chunk in sample.chunks]
    width = min([N_CANDIDATES, *widths])
    active_rows = np.flatnonzero(weights)
    # Chunk by chunk: a copy of all chunks would double the memory of the candidate scores.
    lists = []
    for number, blended_scores in enumerate(sample.combine_scores(weights)):
        lists.append(
            _build_candidate_lists(
                sample.chunks[number][active_rows],
                blended_scores,
                sample.query_features[number],
                sample.target_in_history[number],
                width,
            )
        )
    return CandidateLists(
        features=np.concatenate([chunk.features for chunk in lists]),
        blended_scores=np.concatenate([chunk.blended_scores for chunk in lists]),
        target_position=np.concatenate([chunk.target_position for chunk in lists]),
        target_rank=np.concatenate([chunk.target_rank for chunk in lists]),
    )


def _build_candidate_lists(
    model_scores: Float32Array,
    blended_scores: Float32Array,
    query_features: Float32Array,
    target_in_history: BoolArray,
    width: int,
) -> CandidateLists:
    """Candidate lists of one chunk of candidate scores, whose column 0 is the target."""
    target_rank = (blended_scores[:, 1:] >= blended_scores[:, :1]).sum(axis=1)
    # Descending sort of the reversed columns: a stable sort then places the target (column 0) after items with an equal
    # score. `last_column - position` converts positions in the reversed array to column numbers.
    last_column = blended_scores.shape[1] - 1
    order = last_column - np.argsort(-blended_scores[:, ::-1], axis=1, kind="stable")[:, :width]
    top_scores = np.take_along_axis(blended_scores, order, axis=1)
    # The same columns of each model's scores, (models, cases, width).
    top_model_scores = np.take_along_axis(model_scores, order[None], axis=2)
    features = build_candidate_features(top_model_scores, top_scores, query_features)
    is_target = order == 0
    # In serving, the reranker does not move items of the history, so that repeated targets are no examples.
    has_target = is_target.any(axis=1) & ~target_in_history
    target_position = np.where(has_target, is_target.argmax(axis=1), -1)
    return CandidateLists(features, top_scores, target_position, target_rank)


def fit_trees(candidate_lists: CandidateLists, rng: np.random.Generator) -> HistGradientBoostingClassifier:
    """Fits gradient-boosted trees (Friedman 2001) that separate targets from a sample of the other candidates."""
    candidate_lists = candidate_lists.take(np.flatnonzero(candidate_lists.target_position >= 0))
    is_target = np.zeros(candidate_lists.blended_scores.shape, np.bool_)
    is_target[np.arange(len(candidate_lists)), candidate_lists.target_position] = True
    is_sampled = rng.random(is_target.shape) < NEGATIVE_SAMPLE_RATE
    # Blended scores of padding are about the sum of the weights times PADDING_SCORE.
    is_padding = candidate_lists.blended_scores <= PADDING_SCORE / 2
    is_example = is_target | (is_sampled & ~is_padding)
    trees = HistGradientBoostingClassifier(
        max_iter=50,
        learning_rate=0.12,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=10.0,
        early_stopping=False,
        random_state=int(rng.integers(2**31)),
    )
    # One thread: sums then have one order, and several threads would mostly wait on a busy machine.
    with threadpool_limits(1, "openmp"):
        trees.fit(candidate_lists.features[is_example], is_target[is_example])
    return trees
