"""Scores every case of a split with one or several models, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender, top_k
from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.dataset import Split
from recommender.evaluation.candidate_scores import CANDIDATES_PER_MODEL, CandidateScores
from recommender.evaluation.metrics import (
    bootstrap_interval,
    catalogue_coverage,
    mean_per_user,
    ndcg_at_k,
    rank_targets,
    recall_at_k,
)
from recommender.numeric import scale_to_z_scores
from recommender.types import Float32Array, Histories, Int32Array, Int64Array

MAX_BATCH_SIZE = 1024
# Bounds cases x items of a batch: several float32 score matrices and one int64 sort order exist at once.
MAX_SCORE_CELLS = 16_000_000


def choose_batch_size(items: int) -> int:
    """Number of cases in a batch: fewer for a large catalogue, so that memory does not grow with it."""
    return max(16, min(MAX_BATCH_SIZE, MAX_SCORE_CELLS // max(items, 1)))


@dataclass
class MetricAccumulator:
    """Target ranks and recommended items of one model, collected batch by batch."""

    items: int
    k: int
    rank_batches: list[Int64Array] = field(default_factory=list)
    recommended_batches: list[Int32Array] = field(default_factory=list)

    def add_batch(
        self,
        scores: Float32Array,
        histories: Histories,
        target: Int32Array,
        *,
        min_top_items: int = 0,
    ) -> Int32Array:
        """Adds a batch of cases.

        Args:
            scores: float32 (cases, items); overwritten with -inf at items of the history.
            histories: one history for each case.
            target: item numbers (cases,).
            min_top_items: lower bound for the length of the returned lists.

        Returns:
            The best items of each case, int32 (cases, max(k, min_top_items)), best first, -1 for none.
        """
        self.rank_batches.append(rank_targets(scores, histories, target))
        top_items = top_k(scores, max(self.k, min_top_items)).items
        self.recommended_batches.append(top_items[:, : self.k])
        return top_items

    def collect_ranks(self) -> Int64Array:
        """Ranks of all targets so far, in the order of the cases."""
        if not self.rank_batches:
            return np.empty(0, np.int64)
        return np.concatenate(self.rank_batches)

    def summarize_metrics(
        self, rng: np.random.Generator, user: Int64Array | None = None
    ) -> dict[str, float | list[float]]:
        """Metrics over all cases so far.

        Args:
            rng: draws the bootstrap resamples.
            user: user of each case (cases,). With it, metrics are means of each user's mean and users are resampled:
                many cases of one user are not independent.

        Returns:
            ndcg@k, recall@k and coverage@k, `..._interval` as [low, high] of a 95 % interval, and cases.
        """
        ranks, k = self.collect_ranks(), self.k
        ndcg = bootstrap_interval(mean_per_user(ndcg_at_k(ranks, k), user), rng)
        recall = bootstrap_interval(mean_per_user(recall_at_k(ranks, k), user), rng)
        recommended = np.empty((0, k), np.int32)
        if self.recommended_batches:
            recommended = np.concatenate(self.recommended_batches)
        return {
            f"ndcg@{k}": ndcg.mean,
            f"recall@{k}": recall.mean,
            f"coverage@{k}": catalogue_coverage(recommended, self.items),
            f"ndcg@{k}_interval": [ndcg.low, ndcg.high],
            f"recall@{k}_interval": [recall.low, recall.high],
            "cases": len(ranks),
        }


def evaluate_models(
    models: Mapping[str, Recommender[Any]],
    split: Split,
    *,
    k: int,
    ensemble: Ensemble | None = None,
    candidate_scores: CandidateScores | None = None,
) -> dict[str, MetricAccumulator]:
    """Evaluates several models in one pass over the cases.

    Args:
        models: fitted models by name.
        split: cases to evaluate.
        k: length of the evaluated lists.
        ensemble: combines the models' scores; its result is named "blend".
        candidate_scores: filled with the scores of the candidates of each case.

    Returns:
        An accumulator for each name.
    """
    n_items = split.train.n_items
    accumulators = {name: MetricAccumulator(n_items, k) for name in models}
    min_top_items = CANDIDATES_PER_MODEL if candidate_scores else 0
    if ensemble:
        accumulators["blend"] = MetricAccumulator(n_items, k)
    histories = split.histories.drop_unknown_and_repeats(n_items)
    for rows, chunk in histories.iter_chunks(choose_batch_size(n_items)):
        target = split.target[rows]
        scores = {name: scale_to_z_scores(model.score(chunk)) for name, model in models.items()}
        if ensemble:
            # Before the loop below, which overwrites scores of items of the history.
            accumulators["blend"].add_batch(ensemble.combine(scores, chunk), chunk, target)
        top_items = {}
        for name, model_scores in scores.items():
            top_items[name] = accumulators[name].add_batch(
                model_scores, chunk, target, min_top_items=min_top_items
            )
        if candidate_scores:
            candidate_scores.add_batch(scores, top_items, target, chunk)
    return accumulators


def evaluate_scorer(
    scorer: Callable[[Histories], Float32Array],
    split: Split,
    *,
    k: int,
) -> MetricAccumulator:
    """Evaluates a function that returns float32 scores (cases, items) for histories."""
    n_items = split.train.n_items
    accumulator = MetricAccumulator(n_items, k)
    histories = split.histories.drop_unknown_and_repeats(n_items)
    for rows, chunk in histories.iter_chunks(choose_batch_size(n_items)):
        accumulator.add_batch(scorer(chunk), chunk, split.target[rows])
    return accumulator


def evaluate_blend(
    models: Mapping[str, Recommender[Any]],
    blend: Blend,
    split: Split,
    *,
    k: int,
) -> MetricAccumulator:
    """Evaluates a blend alone, without the metrics of its models and without a reranker."""
    weighted_models = {name: model for name, model in models.items() if blend.weights.get(name)}

    def score_histories(histories: Histories) -> Float32Array:
        return blend.combine({name: model.score(histories) for name, model in weighted_models.items()})

    return evaluate_scorer(score_histories, split, k=k)
