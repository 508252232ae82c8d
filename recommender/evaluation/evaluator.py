"""Asks models every case of a split, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender, top_k
from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.dataset import Split
from recommender.evaluation.metrics import (
    bootstrap_interval,
    catalogue_coverage,
    mean_per_user,
    ndcg_at_k,
    rank_targets,
    recall_at_k,
)
from recommender.fitting.blend_weights import CANDIDATES_PER_MODEL, CandidateScores
from recommender.numeric import scale_to_z_scores
from recommender.types import Float32Array, Histories, Int32Array, Int64Array

MAX_BATCH_SIZE = 1024
# Scores at once: several members' float32 tables of so many cells are held together, and their order in int64.
MAX_SCORE_CELLS = 16_000_000


def choose_batch_size(items: int) -> int:
    """How many cases are asked at a time: fewer in a great catalogue, so that memory does not grow with it."""
    return max(16, min(MAX_BATCH_SIZE, MAX_SCORE_CELLS // max(items, 1)))


@dataclass
class MetricAccumulator:
    """Ranks and shown items of one model, filled part by part."""

    items: int
    k: int
    rank_batches: list[Int64Array] = field(default_factory=list)
    recommended_batches: list[Int32Array] = field(default_factory=list)

    def add_batch(
        self, scores: Float32Array, histories: Histories, target: Int32Array, *, min_top_items: int = 0
    ) -> Int32Array:
        """Best items of each row, at least `most` of them; `scores` is -inf at the history afterwards."""
        self.rank_batches.append(rank_targets(scores, histories, target))
        best = top_k(scores, max(self.k, min_top_items)).items
        self.recommended_batches.append(best[:, : self.k])
        return best

    def collect_ranks(self) -> Int64Array:
        return np.concatenate(self.rank_batches) if self.rank_batches else np.empty(0, np.int64)

    def summarize_metrics(
        self, rng: np.random.Generator, user: Int64Array | None = None
    ) -> dict[str, float | list[float]]:
        """recall@k, ndcg@k and coverage@k, with intervals as [low, high] under `..._interval`.

        With the user of each case they are means of users' means, and users are drawn for the intervals: what is asked
        of one and the same says less than as much asked of many."""
        ranks, k = self.collect_ranks(), self.k
        ndcg = bootstrap_interval(mean_per_user(ndcg_at_k(ranks, k), user), rng)
        recall = bootstrap_interval(mean_per_user(recall_at_k(ranks, k), user), rng)
        shown = (
            np.concatenate(self.recommended_batches)
            if self.recommended_batches
            else np.empty((0, k), np.int32)
        )
        return {
            f"ndcg@{k}": ndcg.mean,
            f"recall@{k}": recall.mean,
            f"coverage@{k}": catalogue_coverage(shown, self.items),
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
    """A tally for each member, and one named "blend" for what an ensemble of them makes of their scores.

    Fills `rehearsal`, if given, on the way. Memory is bounded by ROWS cases at a time."""
    names = [*models, *(["blend"] if ensemble else [])]
    tallies = {name: MetricAccumulator(split.train.n_items, k) for name in names}
    known = split.histories.drop_unknown_and_repeats(split.train.n_items)
    for rows, part in known.iter_chunks(choose_batch_size(split.train.n_items)):
        target = split.target[rows]
        scores = {name: scale_to_z_scores(member.score(part)) for name, member in models.items()}
        if ensemble:
            tallies["blend"].add_batch(ensemble.combine(scores, part), part, target)
        most = CANDIDATES_PER_MODEL if candidate_scores else 0
        best = {
            name: tallies[name].add_batch(scores[name], part, target, min_top_items=most) for name in models
        }
        if candidate_scores:
            candidate_scores.add_batch(scores, best, target, part)
    return tallies


def evaluate_scorer(
    scorer: Callable[[Histories], Float32Array], split: Split, *, k: int
) -> MetricAccumulator:
    """The tally of whatever gives float32 (cases, items)."""
    items = split.train.n_items
    tally = MetricAccumulator(items, k)
    for rows, part in split.histories.drop_unknown_and_repeats(items).iter_chunks(choose_batch_size(items)):
        tally.add_batch(scorer(part), part, split.target[rows])
    return tally


def evaluate_blend(
    models: Mapping[str, Recommender[Any]], blend: Blend, split: Split, *, k: int
) -> dict[str, MetricAccumulator]:
    """The tally of the blend alone, named "blend"."""
    counted = {name: member for name, member in models.items() if blend.weights.get(name)}

    def score_histories(histories: Histories) -> Float32Array:
        return blend.combine({name: member.score(histories) for name, member in counted.items()})

    return {"blend": evaluate_scorer(score_histories, split, k=k)}
