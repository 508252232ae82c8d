"""Scores every catalogue slot for one history, with the best available stage of the fallback chain.

The stages, in order; the first whose condition holds is used (`rank_items`):

1. `model`, or `model_session` if the history is the session alone: the blended ensemble of the active version. Condition: the
   ensemble gives weight to a model of user behaviour, and the history has at least one item that the ensemble was trained on.
2. `content`: similarity of item texts, images and triples with the history; without a text or image model, shared categories,
   tags, brand and attributes. Condition: there is a history, and `_has_active_content`.
   The stage is named `knowledge` as soon as a rule applies to the user or triples contribute.
3. `knowledge` without usable history or content: the rules that apply to the user; the scores of stage 4 or 5 break ties.
   Condition: at least one rule applies.
4. `popular`: interaction counts of the active version's popularity model. Condition: the version has one.
5. `recent`: newest items first. `empty` if the catalogue has no slots.

In stages 1 and 2 the rules that apply are added to the scores with a weight that falls as the history grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from recommender.algorithms.ensemble.registry import MODELS_PLACING_EVERY_ITEM, NON_BEHAVIOURAL_MODELS
from recommender.algorithms.popularity.popularity import Popularity
from recommender.numeric import scale_to_z_scores
from recommender.serving.content_scoring import (
    SlotArray,
    compute_new_item_scores,
    score_by_content,
)
from recommender.serving.ranking import NO_STATS, Ranking, ScoreStats
from recommender.serving.rules.matching import ActiveRule, compute_rule_boosts
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import Stage
from recommender.types import Float32Array

_MAX_HISTORY = 50
# A rule has the weight of this many events (pseudo-count), so that observed behaviour outweighs it as the history grows.
PRIOR_EVENTS = 5
# Tie-breaking scores are at most 1 / 1000, far below the weight of any rule.
_TIE_BREAKER_DIVISOR = 1000


def rank_items(
    snapshot: TenantSnapshot,
    history: SlotArray,
    weight: Float32Array,
    *,
    is_session: bool,
    explain: bool = False,
    active_rules: Sequence[ActiveRule] = (),
) -> Ranking:
    """Scores all slots with the first stage whose condition holds; the module docstring lists the stages.

    Args:
        snapshot: the tenant's catalogue, model and rules.
        history: slots, oldest first.
        weight: float32 (history), positive weights of the events.
        is_session: whether the history is a session only; decides between the stages `model` and `model_session`.
        explain: keeps the scores of each model in the result, which costs a pass over all scores.
        active_rules: the tenant's rules that apply to this user.

    Returns:
        The ranking; its stage is `empty` if the catalogue has no slots.
    """
    if snapshot.catalogue.n_slots == 0:
        no_scores = np.empty(0, dtype=np.float32)
        return Ranking(stage="empty", scores=no_scores, history=history, weight=weight)
    # Later slots are items that were added after training.
    in_model = history < snapshot.n_model_items
    if in_model.any() and snapshot.bundle is not None and has_behavioural_model(snapshot):
        stage: Stage = "model_session" if is_session else "model"
        ranking = rank_by_model(snapshot, history[in_model], weight[in_model], stage, explain=explain)
        return _apply_rules(ranking, active_rules, _compute_rule_fraction(int(in_model.sum())))
    if history.size and _has_active_content(snapshot):
        content = score_by_content(snapshot, history[-_MAX_HISTORY:])
        stage = "knowledge" if active_rules or content.uses_triples else "content"
        ranking = Ranking(stage=stage, scores=content.scores, history=history, weight=weight)
        return _apply_rules(ranking, active_rules, _compute_rule_fraction(history.size))
    fallback = _rank_fallback(snapshot, history, weight)
    if not active_rules:
        return fallback
    # Items that match the same rules have the same score; popularity or recency orders them.
    tie_breaker = _compute_tie_breaker(fallback.scores)
    ranking = Ranking(stage="knowledge", scores=tie_breaker, history=history, weight=weight)
    return _apply_rules(ranking, active_rules, None)


def _compute_rule_fraction(n_events: int) -> float:
    """Shrinkage of rule weights: 1 without events, 1/2 at PRIOR_EVENTS events."""
    return PRIOR_EVENTS / (PRIOR_EVENTS + n_events)


def _compute_tie_breaker(scores: Float32Array) -> Float32Array:
    """Scales scores so far down that they only order items that the rules leave equal."""
    largest = max(float(scores.max()), 1e-12)
    return scores / np.float32(_TIE_BREAKER_DIVISOR * largest)


def _rank_fallback(snapshot: TenantSnapshot, history: SlotArray, weight: Float32Array) -> Ranking:
    stage: Stage = "popular"
    scores = _score_popularity(snapshot)
    if scores is None:
        stage, scores = "recent", _score_recency(snapshot)
    return Ranking(stage=stage, scores=scores, history=history, weight=weight)


def _apply_rules(ranking: Ranking, active_rules: Sequence[ActiveRule], fraction: float | None) -> Ranking:
    """Adds rule weights to the scores.

    With a `fraction` the unit of a rule weight is that fraction of the scores' standard deviation, without one it is 1.
    """
    if not active_rules:
        return ranking
    unit = 1.0
    if fraction is not None:
        # Constant scores have a deviation of zero; rules still have to order them.
        unit = fraction * (float(ranking.scores.std()) or 1.0)
    boosts = compute_rule_boosts(active_rules, ranking.scores.size)
    boosted_scores = ranking.scores + np.float32(unit) * boosts
    return replace(ranking, scores=boosted_scores, active_rules=active_rules)


def has_behavioural_model(snapshot: TenantSnapshot) -> bool:
    """Whether the active version's blend gives weight to a model that learns from users' histories."""
    if snapshot.bundle is None:
        return False
    weights = snapshot.bundle.ensemble.blend.weights
    return any(weight and name not in NON_BEHAVIOURAL_MODELS for name, weight in weights.items())


def _has_active_content(snapshot: TenantSnapshot) -> bool:
    """False if training gave the content models no weight: then the stage `content` is skipped too.

    True without an active version, and if the tenant has triples but the active version has no triple model.
    """
    if snapshot.bundle is None or snapshot.untrained_triple_model is not None:
        return True
    weights = snapshot.bundle.ensemble.blend.weights
    return any(weights.get(name, 0.0) > 0 for name in snapshot.content_models)


def rank_by_model(
    snapshot: TenantSnapshot,
    history: SlotArray,
    weight: Float32Array,
    stage: Stage,
    *,
    explain: bool,
) -> Ranking:
    """Scores all slots with the ensemble; `history` has slots of the model's items only.

    With `explain` the result keeps the scores of each model.
    """
    assert snapshot.bundle is not None  # noqa: S101 - checked by the callers
    ensemble = snapshot.bundle.ensemble
    row = ensemble.clean_history(history, weight)
    model_scores = ensemble.model_scores(row)
    has_new_items = snapshot.catalogue.n_slots > snapshot.n_model_items
    score_stats: dict[str, ScoreStats] = {}
    if has_new_items or explain:
        # Before the arrays of `model_scores` are standardised in place.
        score_stats = {name: ScoreStats.from_scores(scores) for name, scores in model_scores.items()}
    z_scores = {name: scale_to_z_scores(scores) for name, scores in model_scores.items()}
    blended = ensemble.combine(z_scores, row)[0]
    if has_new_items:
        blended = np.concatenate([blended, _score_new_items(snapshot, history, weight, score_stats)])
    return Ranking(
        stage=stage,
        scores=blended,
        history=history,
        weight=weight,
        score_stats=score_stats,
        model_scores={name: scores[0] for name, scores in z_scores.items()} if explain else {},
    )


def _score_new_items(
    snapshot: TenantSnapshot,
    history: SlotArray,
    weight: Float32Array,
    score_stats: Mapping[str, ScoreStats],
) -> Float32Array:
    """Blended scores of the items that were added after training, float32 (slots after the model's items).

    Content models score them like any other item. Neighbourhood, factor and popularity models give them the raw score zero, as
    they do for every item without a link to the history. Models that rank all items of their training set have no score
    for them; their addend is the model's mean, which is zero after standardisation.
    """
    assert snapshot.bundle is not None  # noqa: S101 - checked by the callers
    n_new_items = snapshot.catalogue.n_slots - snapshot.n_model_items
    blended = np.zeros(n_new_items, dtype=np.float32)
    for name, model_weight in snapshot.bundle.ensemble.blend.weights.items():
        stats = score_stats.get(name, NO_STATS)
        if stats.is_constant or name in MODELS_PLACING_EVERY_ITEM:
            continue
        raw_scores = compute_new_item_scores(snapshot, name, history, weight)
        blended += np.float32(model_weight) * ((raw_scores - stats.mean) / stats.deviation)
    return blended


def _score_popularity(snapshot: TenantSnapshot) -> Float32Array | None:
    """Interaction counts; equal counts are ordered by newer item. None without a popularity model."""
    if snapshot.bundle is None:
        return None
    model = snapshot.bundle.ensemble.models.get(Popularity.name)
    if model is None:
        return None
    counts = model.score_history(np.empty(0, dtype=np.int32))
    # Recency is at most 1, so a thousandth of it never outweighs one interaction.
    scores = _score_recency(snapshot) * np.float32(1e-3)
    scores[: counts.size] += counts
    return scores


def _score_recency(snapshot: TenantSnapshot) -> Float32Array:
    """float32 (slots) between 0 and 1; item numbers grow in order of arrival."""
    item_numbers = snapshot.catalogue.item_numbers
    newest = max(int(item_numbers.max(initial=1)), 1)
    return (item_numbers / newest).astype(np.float32)
