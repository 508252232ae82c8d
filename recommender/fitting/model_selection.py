"""Selects the models of the ensemble by backward elimination, and measures the gain of each model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.algorithms.popularity.popularity import Popularity
from recommender.evaluation.candidate_scores import CandidateScores
from recommender.fitting.blend_weights import refit_blend

# Milliseconds of all models together for one history, for a catalogue of usual size.
SERVING_BUDGET_MS = 3.0
# Below this time no model is dropped: validation events of a small catalogue may be too easy to distinguish models, and
# an ensemble of several similar models is more robust for other histories.
FREE_BUDGET_MS = 1.0
# Relative to the nDCG of the full blend: the gain below which a model is dropped in the first phase, and the loss that
# the second phase may cause in total.
MIN_GAIN = 0.001
MAX_LOSS = 0.01
MAX_CASES = 6_000
# Popularity ranks for an empty history; the content models rank items that are newer than the training. Validation
# events measure neither.
ALWAYS_KEPT = frozenset({Popularity.name, TfidfContent.name, VisualSimilarity.name, TripleSimilarity.name})

ModelDropReason = Literal["no_gain", "too_slow"]


@dataclass(frozen=True)
class SelectionResult:
    """The selected blend, and validation nDCG of the full blend, of the selected one, and without each model.

    ndcg_without: by model name, nDCG of the best blend without it.
    dropped: by model name, why it is not in the selected blend.
    """

    blend: Blend
    full_ndcg: float
    selected_ndcg: float
    ndcg_without: Mapping[str, float]
    dropped: Mapping[str, ModelDropReason] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The entry "selection" of the training report."""
        return {
            "full_ndcg": self.full_ndcg,
            "selected_ndcg": self.selected_ndcg,
            "ndcg_without": dict(self.ndcg_without),
            "dropped": dict(self.dropped),
        }


def prune_models(
    candidate_scores: CandidateScores,
    blend: Blend,
    milliseconds: Mapping[str, float],
    *,
    k: int,
    budget_ms: float = math.inf,
) -> SelectionResult:
    """Prunes the ensemble by backward elimination.

    Phase 1, while the models need more than FREE_BUDGET_MS: drop each model whose removal lowers nDCG by less than
    MIN_GAIN. Phase 2, while they need more than `budget_ms`: drop each model whose removal keeps nDCG within MAX_LOSS of
    the full blend. The slowest models come first, and the weights are refitted. Models in ALWAYS_KEPT are never dropped.

    Args:
        candidate_scores: validation scores of all models.
        blend: weights fitted for all models.
        milliseconds: by model name, processor time for one history.
        k: length of the evaluated lists.
        budget_ms: processor time of all models together for one history.
    """
    sample = candidate_scores.limit_cases(MAX_CASES)
    # Weights refitted on the sample: smaller blends are refitted on it too and would have an advantage otherwise.
    best = refit_blend(sample.select_models(list_active_models(blend)), blend, k=k)
    full_ndcg = sample.compute_blend_ndcg(best, k)
    ndcg_without = _compute_ndcg_without_each(sample, best, k)
    without_weight = [name for name in sample.model_names if not best.weights.get(name)]
    dropped: dict[str, ModelDropReason] = dict.fromkeys(without_weight, "no_gain")
    best, without_gain = run_backward_elimination(
        sample,
        best,
        milliseconds,
        k=k,
        min_ndcg=(1 - MIN_GAIN) * full_ndcg,
        budget_ms=FREE_BUDGET_MS,
    )
    dropped |= dict.fromkeys(without_gain, "no_gain")
    best, too_slow = run_backward_elimination(
        sample,
        best,
        milliseconds,
        k=k,
        min_ndcg=(1 - MAX_LOSS) * full_ndcg,
        budget_ms=budget_ms,
    )
    dropped |= dict.fromkeys(too_slow, "too_slow")
    selected_names = [name for name in candidate_scores.model_names if name not in dropped]
    selected = blend
    if set(selected_names) != set(list_active_models(blend)):
        selected = refit_blend(candidate_scores.select_models(selected_names), best, k=k)
    # The last refit uses all cases and may give a further model the weight zero.
    without_weight = [name for name in selected_names if not selected.weights.get(name)]
    dropped |= dict.fromkeys(without_weight, "no_gain")
    return SelectionResult(
        blend=selected,
        full_ndcg=full_ndcg,
        selected_ndcg=sample.compute_blend_ndcg(selected, k),
        ndcg_without=ndcg_without,
        dropped=dropped,
    )


def run_backward_elimination(
    candidate_scores: CandidateScores,
    blend: Blend,
    milliseconds: Mapping[str, float],
    *,
    k: int,
    min_ndcg: float,
    budget_ms: float,
) -> tuple[Blend, list[str]]:
    """Drops models, slowest first, while the others together need more than `budget_ms`.

    Args:
        candidate_scores: validation scores of at least the active models.
        blend: weights to start with.
        milliseconds: by model name, processor time for one history.
        k: length of the evaluated lists.
        min_ndcg: a removal that lowers nDCG below this bound is undone.
        budget_ms: stops as soon as the active models together need at most this time.

    Returns:
        The blend of the remaining models, and the names of the dropped ones.
    """
    dropped: list[str] = []
    slowest_first = sorted(list_active_models(blend), key=lambda name: -milliseconds.get(name, 0.0))
    for name in slowest_first:
        active_names = list_active_models(blend)
        total_ms = sum(milliseconds.get(active_name, 0.0) for active_name in active_names)
        if len(active_names) < 2 or total_ms <= budget_ms:
            break
        if name in ALWAYS_KEPT:
            continue
        smaller = _remove_model(candidate_scores, blend, name, k)
        if _compute_ndcg(smaller, candidate_scores, k) >= min_ndcg:
            blend = smaller
            dropped.append(name)
    return blend, dropped


def _compute_ndcg_without_each(candidate_scores: CandidateScores, blend: Blend, k: int) -> dict[str, float]:
    """By active model, nDCG of the best blend of the other models."""
    ndcg_without = {}
    for name in list_active_models(blend):
        smaller = _remove_model(candidate_scores, blend, name, k)
        ndcg_without[name] = _compute_ndcg(smaller, candidate_scores, k)
    return ndcg_without


def list_active_models(blend: Blend) -> list[str]:
    """Names of the models with a weight above zero."""
    return [name for name, weight in blend.weights.items() if weight]


def _remove_model(
    candidate_scores: CandidateScores,
    blend: Blend,
    name: str,
    k: int,
) -> Blend:
    """Refits the blend without one model; the blend of a single model becomes empty."""
    remaining = [active_name for active_name in list_active_models(blend) if active_name != name]
    if not remaining:
        return Blend({})
    return refit_blend(candidate_scores.select_models(remaining), blend, k=k)


def _compute_ndcg(blend: Blend, candidate_scores: CandidateScores, k: int) -> float:
    if not list_active_models(blend):
        return 0.0
    return candidate_scores.compute_blend_ndcg(blend, k)
