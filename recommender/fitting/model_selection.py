"""What each member is worth to the blend, and which of them are served."""

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
from recommender.fitting.blend_weights import CandidateScores, compute_blend_ndcg, refit_blend

# Milliseconds that the members may take together for one history of a catalogue of usual size.
SERVING_BUDGET_MS = 3.0
# What members may take before those that add nothing are dropped: where hidden events are too easy to tell members
# apart, as in a small catalogue, several that agree stand up to histories of other kinds.
FREE_BUDGET_MS = 1.0
# Of the blend's nDCG: what a member must add to earn its place, and what all that are dropped for time may cost.
MIN_GAIN = 0.001
MAX_LOSS = 0.01
MAX_CASES = 6_000
# What answers an empty history, and what places items that came after the training: hidden events cannot tell their worth.
ALWAYS_KEPT = frozenset({Popularity.name, TfidfContent.name, VisualSimilarity.name, TripleSimilarity.name})


ModelDropReason = Literal["no_gain", "too_slow"]


@dataclass(frozen=True)
class SelectionResult:
    """`blend` is served, its validation nDCG is `served`. `without` has that of the best blend without each member of
    the whole one, whose own is `whole`; `dropped` says of each member that is not served why."""

    blend: Blend
    full_ndcg: float
    selected_ndcg: float
    ndcg_without: Mapping[str, float]
    dropped: Mapping[str, ModelDropReason] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "whole": self.full_ndcg,
            "served": self.selected_ndcg,
            "without": dict(self.ndcg_without),
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
    """While they take more than FREE_MS together, members that add less than EARNS are dropped, the dearest first; then,
    while the rest takes more milliseconds than `budget`, the dearest whose loss keeps the whole within MAY_COST. The
    others' weights are learned again."""
    sample = candidate_scores.slice_cases(max(1, -(-candidate_scores.n_cases // MAX_CASES)))
    # What is compared has weights learned from the same cases: else the smaller blend would have the advantage.
    best = refit_blend(sample.select_models(list_active_models(blend)), blend, k=k)
    whole = compute_blend_ndcg(sample, best, k)
    without = {
        name: _compute_ndcg(_remove_model(sample, best, name, k), sample, k)
        for name in list_active_models(best)
    }
    dropped: dict[str, ModelDropReason] = {
        name: "no_gain" for name in sample.model_names if not best.weights.get(name)
    }
    rules: tuple[tuple[ModelDropReason, float, float], ...] = (
        ("no_gain", MIN_GAIN, FREE_BUDGET_MS),
        ("too_slow", MAX_LOSS, budget_ms),
    )
    for why, share, enough in rules:
        for name in sorted(list_active_models(best), key=lambda name: -milliseconds.get(name, 0.0)):
            taken = sum(milliseconds.get(other, 0.0) for other in list_active_models(best))
            if len(list_active_models(best)) < 2 or taken <= enough:
                break
            if name in ALWAYS_KEPT:
                continue
            smaller = _remove_model(sample, best, name, k)
            if _compute_ndcg(smaller, sample, k) >= (1 - share) * whole:
                best = smaller
                dropped[name] = why
    kept = [name for name in candidate_scores.model_names if name not in dropped]
    served = (
        blend
        if set(kept) == set(list_active_models(blend))
        else refit_blend(candidate_scores.select_models(kept), best, k=k)
    )
    for name in kept:
        if not served.weights.get(name):
            dropped[name] = "no_gain"
    return SelectionResult(served, whole, compute_blend_ndcg(sample, served, k), without, dropped)


def list_active_models(blend: Blend) -> list[str]:
    return [name for name, weight in blend.weights.items() if weight]


def _remove_model(sample: CandidateScores, blend: Blend, name: str, k: int) -> Blend:
    """The best weights near those of `blend` for its members but one; of a blend of one it leaves nothing."""
    others = [other for other in list_active_models(blend) if other != name]
    return refit_blend(sample.select_models(others), blend, k=k) if others else Blend({})


def _compute_ndcg(blend: Blend, sample: CandidateScores, k: int) -> float:
    return compute_blend_ndcg(sample, blend, k) if list_active_models(blend) else 0.0
