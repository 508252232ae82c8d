"""Scores for every slot of a tenant's catalogue, by the best stage that the situation allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recommender.algorithms.common.score_blend import scale_to_z_scores
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.algorithms.ensemble.registry import MODELS_PLACING_EVERY_ITEM, NON_BEHAVIOURAL_MODELS
from recommender.algorithms.popularity.popularity import Popularity
from recommender.serving.rules.matching import ActiveRule, compute_rule_boosts
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import Stage
from recommender.types import Float32Array

SlotArray = NDArray[np.int32]
_NO_SLOTS: SlotArray = np.empty(0, dtype=np.int32)
_NO_WEIGHTS: Float32Array = np.empty(0, dtype=np.float32)
_RECENCY_DECAY = 0.7
_MAX_HISTORY = 50
# Rules count like this many choices: what is known beforehand gives way to what is learned.
PRIOR_EVENTS = 5


@dataclass(frozen=True, slots=True)
class Ranking:
    """`scores` float32 (slots); -inf for what this stage can say nothing about.

    `moments` are mean and deviation of each blended member's raw scores, `members` the standardised scores of the model's
    items; with the slots of `history` and their weights they are what reasons are computed from. `applied` are the rules
    that speak of the person.
    """

    stage: Stage
    scores: Float32Array
    history: SlotArray
    weight: Float32Array
    score_stats: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    model_scores: Mapping[str, Float32Array] = field(default_factory=dict)
    active_rules: Sequence[ActiveRule] = ()


def rank_items(
    snapshot: TenantSnapshot,
    history: SlotArray,
    weight: Float32Array,
    *,
    is_session: bool,
    explain: bool = False,
    active_rules: Sequence[ActiveRule] = (),
) -> Ranking:
    """`history` are slots, oldest first; the last resort with an empty catalogue is the stage `empty`.

    Without `explain` moments and members may be missing, for they cost a pass over all scores. What is learned from behaviour
    goes before what is stated, and that before favourites.
    """
    if snapshot.catalogue.n_slots == 0:
        return Ranking("empty", np.empty(0, dtype=np.float32), history, weight)
    known = history < snapshot.n_model_items
    if known.any() and snapshot.bundle is not None and _has_behavioural_model(snapshot):
        stage: Stage = "model_session" if is_session else "model"
        learned = _rank_by_model(snapshot, history[known], weight[known], stage, explain=explain)
        return _apply_rules(learned, active_rules, PRIOR_EVENTS / (PRIOR_EVENTS + int(known.sum())))
    if history.size and _has_active_content(snapshot):
        scores, stated = _score_by_content(snapshot, history[-_MAX_HISTORY:])
        likely = Ranking("knowledge" if active_rules or stated else "content", scores, history, weight)
        return _apply_rules(likely, active_rules, PRIOR_EVENTS / (PRIOR_EVENTS + history.size))
    if active_rules:
        # Favourites order the items that the rules leave equal.
        favourites = _rank_fallback(snapshot)
        scores = favourites.scores / np.float32(1000 * max(float(favourites.scores.max()), 1e-12))
        return _apply_rules(Ranking("knowledge", scores, history, weight), active_rules, None)
    return _rank_fallback(snapshot, history, weight)


def _rank_fallback(
    snapshot: TenantSnapshot, history: SlotArray = _NO_SLOTS, weight: Float32Array = _NO_WEIGHTS
) -> Ranking:
    popular = _score_popularity(snapshot)
    if popular is not None:
        return Ranking("popular", popular, history, weight)
    return Ranking("recent", _score_recency(snapshot), history, weight)


def _apply_rules(ranking: Ranking, active_rules: Sequence[ActiveRule], fraction: float | None) -> Ranking:
    """Weights of rules are in deviations of the scores they are added to, times `share`; without one as they are."""
    if not active_rules:
        return ranking
    worth = 1.0 if fraction is None else fraction * (float(ranking.scores.std()) or 1.0)
    raised = ranking.scores + np.float32(worth) * compute_rule_boosts(active_rules, ranking.scores.size)
    return replace(ranking, scores=raised, active_rules=active_rules)


def rank_similar(snapshot: TenantSnapshot, slot: SlotArray) -> Ranking:
    """By texts and looks where there are any, else by what is chosen together, else by facts in common."""
    weight = np.ones(slot.size, dtype=np.float32)
    by_content, _ = _score_by_content(snapshot, slot)
    if not by_content.any() and slot[0] < snapshot.n_model_items and _has_behavioural_model(snapshot):
        return _rank_by_model(snapshot, slot, weight, "model_session", explain=False)
    return Ranking("content", by_content, slot, weight)


def rank_similar_images(snapshot: TenantSnapshot, slot: SlotArray) -> Ranking:
    """By images alone; -inf for an item without one, for all where the asked-for item has none."""
    weight = np.ones(slot.size, dtype=np.float32)
    nothing = Ranking("content", np.full(snapshot.catalogue.n_slots, -np.inf, np.float32), slot, weight)
    if snapshot.visual_model is None:
        return nothing
    scores = _compute_content_similarity(snapshot, VisualSimilarity.name, slot, weight)
    if not scores.any():
        return nothing
    late = snapshot.new_item_vectors.get(VisualSimilarity.name)
    described = np.zeros(snapshot.catalogue.n_slots, dtype=bool)
    described[: snapshot.n_model_items] = snapshot.visual_model.has_vector
    if late is not None:
        described[snapshot.n_model_items : snapshot.n_model_items + late.shape[0]] = np.diff(late.indptr) > 0
    return Ranking("content", np.where(described, scores, np.float32(-np.inf)), slot, weight)


def _has_behavioural_model(snapshot: TenantSnapshot) -> bool:
    weights = snapshot.bundle.ensemble.blend.weights if snapshot.bundle else {}
    return any(weight and name not in NON_BEHAVIOURAL_MODELS for name, weight in weights.items())


def _has_active_content(snapshot: TenantSnapshot) -> bool:
    """A model that was found no better than popularity leaves likeness out of its blend, and so do we."""
    if snapshot.bundle is None or snapshot.untrained_triple_model is not None:
        return True
    return any(snapshot.bundle.ensemble.blend.weights.get(name, 0.0) > 0 for name in snapshot.content_models)


def _rank_by_model(
    snapshot: TenantSnapshot, history: SlotArray, weight: Float32Array, stage: Stage, *, explain: bool
) -> Ranking:
    assert snapshot.bundle is not None  # noqa: S101 - rank() asked before
    ensemble = snapshot.bundle.ensemble
    members = ensemble.score_by_model(history, weight)
    late = snapshot.catalogue.n_slots > snapshot.n_model_items
    moments = (
        {name: _compute_mean_and_std(scores) for name, scores in members.items()} if late or explain else {}
    )
    # Standardised in place.
    blended = ensemble.combine_history_scores(members, history)
    if late:
        blended = np.concatenate([blended, _score_new_items(snapshot, history, weight, moments)])
    return Ranking(stage, blended, history, weight, moments, members if explain else {})


def _compute_mean_and_std(scores: Float32Array) -> tuple[float, float]:
    return float(scores.mean()), float(scores.std())


def _score_new_items(
    snapshot: TenantSnapshot,
    history: SlotArray,
    weight: Float32Array,
    score_stats: Mapping[str, tuple[float, float]],
) -> Float32Array:
    """An item without behaviour: content counts as for any other item, elsewhere it has no evidence.

    Neighbours, factors and popularity score it zero, as they score every item without a link to the history; the
    models that place every item cannot place it, so it stands at their mean.
    """
    assert snapshot.bundle is not None  # noqa: S101 - rank() asked before
    width = snapshot.catalogue.n_slots - snapshot.n_model_items
    scores = np.zeros(width, dtype=np.float32)
    for name, share in snapshot.bundle.ensemble.blend.weights.items():
        mean, deviation = score_stats.get(name, (0.0, 0.0))
        if deviation <= 1e-12 or name in MODELS_PLACING_EVERY_ITEM:
            continue
        scores += np.float32(share) * (
            (compute_new_item_scores(snapshot, name, history, weight) - mean) / deviation
        )
    return scores


def compute_new_item_scores(
    snapshot: TenantSnapshot, name: str, history: SlotArray, weight: Float32Array
) -> Float32Array:
    """float32 (slots behind the model's): a member's own scores, zero where it knows nothing of them."""
    scores = np.zeros(snapshot.catalogue.n_slots - snapshot.n_model_items, dtype=np.float32)
    if name in snapshot.content_models and name in snapshot.new_item_vectors:
        late = snapshot.new_item_vectors[name] @ snapshot.content_models[name].compute_user_vector(
            history, weight
        )
        scores[: late.size] = late
    return scores


def _score_by_content(snapshot: TenantSnapshot, history: SlotArray) -> tuple[Float32Array, bool]:
    """By texts, looks and stated links where there are any, and whether links spoke; without a model that reads texts by
    categories, tags, brand and attributes in common."""
    fade = np.power(_RECENCY_DECAY, np.arange(history.size - 1, -1, -1)).astype(np.float32)
    parts = {
        name: _compute_content_similarity(snapshot, name, history, fade) for name in snapshot.content_models
    }
    if not parts.keys() - {TripleSimilarity.name}:
        parts["facts"] = _score_shared_attributes(snapshot, history, fade)
    telling = {name: part for name, part in parts.items() if part.any()}
    if len(telling) < 2:
        scores = next(iter(telling.values()), np.zeros(snapshot.catalogue.n_slots, dtype=np.float32))
    else:
        scores = np.sum([scale_to_z_scores(part) for part in telling.values()], axis=0)
    return scores, TripleSimilarity.name in telling


def _compute_content_similarity(
    snapshot: TenantSnapshot, name: str, history: SlotArray, recency_weights: Float32Array
) -> Float32Array:
    """float32 (slots): the cosine with what the history is like, newcomers included on both sides."""
    member, late = snapshot.content_models[name], snapshot.new_item_vectors.get(name)
    known = history < snapshot.n_model_items
    profile = member.compute_user_vector(history[known], recency_weights[known])
    if late is not None and not known.all():
        places = history[~known] - snapshot.n_model_items
        inside = places < late.shape[0]
        profile = profile + late[places[inside]].T @ recency_weights[~known][inside]
    scores = np.zeros(snapshot.catalogue.n_slots, dtype=np.float32)
    scores[: snapshot.n_model_items] = member.vectors @ profile
    if late is not None:
        scores[snapshot.n_model_items : snapshot.n_model_items + late.shape[0]] = late @ profile
    return scores


def _score_shared_attributes(
    snapshot: TenantSnapshot, history: SlotArray, recency_weights: Float32Array
) -> Float32Array:
    """Inverse-frequency weighted facts shared with the history, by how recent."""
    columns = snapshot.catalogue
    worth = np.zeros(columns.n_slots)
    np.maximum.at(worth, history, recency_weights)
    facts = max(len(columns.vocabulary), 1)
    frequency = np.bincount(columns.terms, minlength=facts)
    rarity = np.log((1 + columns.n_slots) / (1 + frequency))
    liked = np.bincount(columns.terms, weights=worth[columns.term_slots], minlength=facts) * rarity
    scores = np.bincount(columns.term_slots, weights=liked[columns.terms], minlength=columns.n_slots)
    return scores.astype(np.float32)


def _score_popularity(snapshot: TenantSnapshot) -> Float32Array | None:
    """Counts of the model, then the newest first; None where nothing was ever counted."""
    member = snapshot.bundle.ensemble.models.get(Popularity.name) if snapshot.bundle else None
    if member is None:
        return None
    counts = member.score_history(np.empty(0, dtype=np.int32))
    scores = _score_recency(snapshot) * np.float32(1e-3)
    scores[: counts.size] += counts
    return scores


def _score_recency(snapshot: TenantSnapshot) -> Float32Array:
    """Between 0 and 1: item numbers grow in order of arrival."""
    newest = max(int(snapshot.catalogue.item_numbers.max(initial=1)), 1)
    return (snapshot.catalogue.item_numbers / newest).astype(np.float32)
