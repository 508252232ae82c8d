"""Learns blend weights from validation cases only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import optimize, special

from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.reranker import compute_query_features
from recommender.evaluation.metrics import ndcg_at_k
from recommender.types import BoolArray, Float32Array, Float64Array, Histories, Int32Array, Int64Array

# Orders the items that no other member tells apart, and answers an empty history.
MIN_POPULARITY_WEIGHT = 0.01
CANDIDATES_PER_MODEL = 150
PADDING_SCORE = -1e9
STEP_FACTORS = (2.0, 1.4, 1.15)
MAX_ROUNDS = 4


@dataclass
class CandidateScores:
    """Standardised member scores of the items that may matter: each member's best, and the target (column 0).

    An item outside every member's best cannot displace a target that a blend puts among the first ten, so the
    search over weights needs no more. Parts are float32 (members, cases, candidates); NEVER marks padding. situations (cases, columns)
    are what the second stage knows of each history; `again` marks targets that were in theirs."""

    model_names: tuple[str, ...]
    chunks: list[Float32Array] = field(default_factory=list)
    query_features: list[Float32Array] = field(default_factory=list)
    target_in_history: list[BoolArray] = field(default_factory=list)

    def add_batch(
        self,
        scores: Mapping[str, Float32Array],
        top_items: Mapping[str, Int32Array],
        target: Int32Array,
        histories: Histories,
    ) -> None:
        """By member: standardised scores, and the best CANDIDATES items of each row that are not in its history."""
        rows = np.arange(len(target))
        chosen = np.zeros(scores[self.model_names[0]].shape, dtype=np.bool_)
        for name in self.model_names:
            row, place = np.nonzero(top_items[name] >= 0)
            chosen[row, top_items[name][row, place]] = True
        chosen[rows, target] = False
        counts = chosen.sum(axis=1)
        part = np.full(
            (len(self.model_names), len(rows), int(counts.max(initial=0)) + 1), PADDING_SCORE, np.float32
        )
        row, item = np.nonzero(chosen)
        column: Int64Array = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        for number, name in enumerate(self.model_names):
            part[number, :, 0] = scores[name][rows, target]
            part[number, row, column] = scores[name][row, item]
        self.chunks.append(part)
        self.query_features.append(compute_query_features(scores, histories))
        again = np.zeros(len(rows), dtype=np.bool_)
        owners = histories.row_ids()
        again[owners[histories.item == target[owners]]] = True
        self.target_in_history.append(again)

    def combine_scores(self, weights: Float64Array) -> list[Float32Array]:
        """float32 (cases, candidates) of each part."""
        return [np.tensordot(weights.astype(np.float32), part, axes=1) for part in self.chunks]

    def ndcg(self, weights: Float64Array, k: int) -> float:
        """nDCG@k of the blend with these weights, ties against the target."""
        return mean_ndcg(self.combine_scores(weights), k)

    def select_models(self, model_names: Sequence[str]) -> CandidateScores:
        """The same cases and candidates as these members see them."""
        rows = [self.model_names.index(name) for name in model_names]
        return CandidateScores(
            tuple(model_names),
            [part[rows] for part in self.chunks],
            self.query_features,
            self.target_in_history,
        )

    def slice_cases(self, step: int) -> CandidateScores:
        """Each `step`-th case of each part."""
        parts = [part[:, ::step] for part in self.chunks]
        return CandidateScores(
            self.model_names,
            parts,
            [about[::step] for about in self.query_features],
            [again[::step] for again in self.target_in_history],
        )

    @property
    def n_cases(self) -> int:
        return sum(part.shape[1] for part in self.chunks)


def mean_ndcg(blended: Sequence[Float32Array], k: int) -> float:
    """nDCG@k where column 0 is the target's score, ties against it."""
    total = sum(float(ndcg_at_k((part[:, 1:] >= part[:, :1]).sum(axis=1), k).sum()) for part in blended)
    cases = sum(map(len, blended))
    return total / cases if cases else 0.0


def build_equal_blend(model_names: tuple[str, ...]) -> Blend:
    """What is used where no validation case exists."""
    return Blend({name: MIN_POPULARITY_WEIGHT if name == "popularity" else 1.0 for name in model_names})


def fit_blend(candidate_scores: CandidateScores, *, k: int = 10) -> Blend:
    """Weights with the best nDCG@k on the rehearsal, each at least zero; popularity keeps a floor.

    The metric is a step function of the weights with many hills, so a coordinate search climbs from two places: equal
    weights, and those of a conditional logit, which is convex. The better of the two is taken."""
    starts = (
        np.array(list(build_equal_blend(candidate_scores.model_names).weights.values())),
        _fit_conditional_logit(candidate_scores),
    )
    weights, _ = max(
        (_run_coordinate_ascent(candidate_scores, start, k) for start in starts), key=lambda found: found[1]
    )
    return _build_blend(candidate_scores, weights)


def compute_blend_ndcg(candidate_scores: CandidateScores, blend: Blend, k: int) -> float:
    """nDCG@k of a blend on the rehearsal."""
    return candidate_scores.ndcg(
        np.array([blend.weights.get(name, 0.0) for name in candidate_scores.model_names]), k
    )


def refit_blend(candidate_scores: CandidateScores, blend: Blend, *, k: int) -> Blend:
    """The best weights near those of `blend`, for the members of `rehearsal` alone."""
    start = np.array([blend.weights.get(name, 0.0) for name in candidate_scores.model_names])
    weights, _ = _run_coordinate_ascent(candidate_scores, start if start.any() else np.ones(len(start)), k)
    return _build_blend(candidate_scores, weights)


def _build_blend(candidate_scores: CandidateScores, weights: Float64Array) -> Blend:
    # Scores are standardised, so only proportions matter: the greatest weight is one.
    scaled = weights / weights.max()
    return Blend(
        {name: float(weight) for name, weight in zip(candidate_scores.model_names, scaled, strict=True)}
    )


def _run_coordinate_ascent(
    candidate_scores: CandidateScores, start: Float64Array, k: int
) -> tuple[Float64Array, float]:
    """Each weight in turn is multiplied, divided, dropped or, once dropped, tried again, while that helps."""
    floor = np.array(
        [MIN_POPULARITY_WEIGHT if name == "popularity" else 0.0 for name in candidate_scores.model_names]
    )
    weights = np.maximum(start, floor)
    blended = candidate_scores.combine_scores(weights)
    best = mean_ndcg(blended, k)
    for step in STEP_FACTORS:
        for _ in range(MAX_ROUNDS):
            before = best
            for number in range(len(weights)):
                for value in _list_trial_weights(weights[number], step, weights.max()):
                    trial = weights.copy()
                    trial[number] = max(value, floor[number])
                    if not trial.any():
                        continue
                    # Only one weight differs, so only its member is read again.
                    change = np.float32(trial[number] - weights[number])
                    moved = [
                        total + change * part[number]
                        for total, part in zip(blended, candidate_scores.chunks, strict=True)
                    ]
                    if (reached := mean_ndcg(moved, k)) > best:
                        weights, blended, best = trial, moved, reached
            if best <= before:
                break
    return weights, best


def _list_trial_weights(weight: float, step: float, max_weight: float) -> tuple[float, ...]:
    if weight > 0:
        return weight * step, weight / step, 0.0
    return 0.1 * max_weight, 0.3 * max_weight


def _fit_conditional_logit(candidate_scores: CandidateScores, *, max_cases: int = 3_000) -> Float64Array:
    """Weights that make the targets likeliest among their candidates: a conditional logit (McFadden 1974)."""
    sample = candidate_scores.slice_cases(max(1, -(-candidate_scores.n_cases // max_cases)))
    parts = [part for part in sample.chunks if part.size]
    cases = sample.n_cases

    def compute_loss(weights: Float64Array) -> tuple[float, Float64Array]:
        total, slope = 0.0, np.zeros(len(weights))
        for part in parts:
            scores = np.tensordot(weights.astype(np.float32), part, axes=1)
            scores[part[0] <= PADDING_SCORE] = -np.inf
            likelihood = special.log_softmax(scores, axis=1)
            total -= float(likelihood[:, 0].sum())
            # Padding has no share, and NEVER times nothing is nothing.
            slope += np.tensordot(part, np.exp(likelihood), axes=2) - part[:, :, 0].sum(axis=1)
        return total / max(cases, 1), slope / max(cases, 1)

    members = len(candidate_scores.model_names)
    found = optimize.minimize(
        compute_loss, np.full(members, 0.5), jac=True, method="L-BFGS-B", bounds=[(0, None)] * members,
        options={"maxiter": 60},
    )  # fmt: skip
    return np.asarray(found.x, dtype=np.float64)
