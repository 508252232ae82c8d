"""Scores every catalogue slot for one history, with the best available stage of the fallback chain.

The stages, in order; the first whose condition holds is used (`rank_items`):

1. `model`, or `model_session` if the history is the session alone: the blended ensemble of the active version. Condition: the
   ensemble gives weight to a model of user behaviour, and the history has at least one item that the ensemble was trained on.
2. `content`: similarity of item texts, images and triples with the history; without a text or image model, shared categories,
   tags, brand and attributes. Condition: there is a history, and content is not excluded by the active version's blend.
   The stage is named `knowledge` if active tenant rules or triples contributed.
3. `knowledge`: the tenant's active rules alone; stage 4 or 5 breaks ties. Condition: at least one rule is active.
4. `popular`: interaction counts of the active version's popularity model. Condition: the version has one.
5. `recent`: newest items first. `empty` if the catalogue has no slots.

In stages 1 and 2 active rules are added to the scores with a weight that falls as the history grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recommender.algorithms.common.score_blend import scale_to_z_scores
from recommender.algorithms.content.feature_interactions import FeatureInteractionModel
from recommender.algorithms.content.review_score import ReviewScore
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.algorithms.ensemble.ensemble import SEQUENTIAL_MODELS
from recommender.algorithms.popularity.popularity import Popularity
from recommender.algorithms.popularity.recent_popularity import RecentPopularity
from recommender.serving.rules.matching import ActiveRule, compute_rule_boosts
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import Stage
from recommender.types import Float32Array

SlotArray = NDArray[np.int32]
_NO_SLOTS: SlotArray = np.empty(0, dtype=np.int32)
_NO_WEIGHTS: Float32Array = np.empty(0, dtype=np.float32)
_RECENCY_DECAY = 0.7
# Models that do not learn how one user's events relate to each other.
_NON_BEHAVIOURAL_MODELS = (
    TfidfContent.name,
    VisualSimilarity.name,
    TripleSimilarity.name,
    FeatureInteractionModel.name,
    Popularity.name,
    RecentPopularity.name,
    ReviewScore.name,
)
# These models rank all items of their training set; a raw score of zero would be a rank, not "no evidence".
_MODELS_WITHOUT_NEW_ITEMS = (FeatureInteractionModel.name, *SEQUENTIAL_MODELS)
_MAX_HISTORY = 50
# A rule has the weight of this many events (pseudo-count), so that observed behaviour outweighs it as the history grows.
PRIOR_EVENTS = 5
# Tie-breaking scores are at most 1 / 1000, far below the weight of any rule.
_TIE_BREAKER_DIVISOR = 1000
_MIN_DEVIATION = 1e-12


@dataclass(frozen=True, slots=True)
class ScoreStats:
    """Mean and standard deviation of one model's raw scores over all items of the model."""

    mean: float
    deviation: float

    @classmethod
    def from_scores(cls, scores: Float32Array) -> ScoreStats:
        """Computes both in float32, as the ensemble standardises scores."""
        return cls(float(scores.mean()), float(scores.std()))

    @property
    def is_constant(self) -> bool:
        """Whether the model gives all items the same score, so that it cannot be standardised."""
        return self.deviation <= _MIN_DEVIATION


_NO_STATS = ScoreStats(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of one request and what explanations need to be computed from them.

    Attributes:
        stage: the stage of the fallback chain that was used.
        scores: float32 (slots); -inf for slots that the stage cannot score.
        history: slots of the history, oldest first.
        weight: float32 (history), the weight of each event.
        score_stats: by model name, statistics of the raw scores; empty unless needed.
        model_scores: by model name, standardised scores of the model's items; empty unless reasons were requested.
        active_rules: rules that apply to the user and were added to the scores.
    """

    stage: Stage
    scores: Float32Array
    history: SlotArray
    weight: Float32Array
    score_stats: Mapping[str, ScoreStats] = field(default_factory=dict)
    model_scores: Mapping[str, Float32Array] = field(default_factory=dict)
    active_rules: Sequence[ActiveRule] = ()


@dataclass(frozen=True, slots=True)
class _ContentScores:
    """float32 (slots), and whether triples contributed."""

    scores: Float32Array
    uses_triples: bool


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
        return Ranking("empty", np.empty(0, dtype=np.float32), history, weight)
    in_model = history < snapshot.n_model_items
    if in_model.any() and snapshot.bundle is not None and _has_behavioural_model(snapshot):
        stage: Stage = "model_session" if is_session else "model"
        ranking = _rank_by_model(snapshot, history[in_model], weight[in_model], stage, explain=explain)
        return _apply_rules(ranking, active_rules, _compute_rule_fraction(int(in_model.sum())))
    if history.size and _has_active_content(snapshot):
        content = _score_by_content(snapshot, history[-_MAX_HISTORY:])
        stage = "knowledge" if active_rules or content.uses_triples else "content"
        ranking = Ranking(stage, content.scores, history, weight)
        return _apply_rules(ranking, active_rules, _compute_rule_fraction(history.size))
    if active_rules:
        fallback = _rank_fallback(snapshot)
        tie_breaker = _compute_tie_breaker(fallback.scores)
        return _apply_rules(Ranking("knowledge", tie_breaker, history, weight), active_rules, None)
    return _rank_fallback(snapshot, history, weight)


def rank_similar(snapshot: TenantSnapshot, slot: SlotArray) -> Ranking:
    """Scores all slots by similarity with one item; `slot` has length 1.

    Uses content (texts, images, triples or shared attributes). If no item has content in common with it, uses the ensemble
    with the item as the only event of the history.
    """
    weight = np.ones(slot.size, dtype=np.float32)
    content = _score_by_content(snapshot, slot)
    is_trained = slot[0] < snapshot.n_model_items
    if not content.scores.any() and is_trained and _has_behavioural_model(snapshot):
        return _rank_by_model(snapshot, slot, weight, "model_session", explain=False)
    return Ranking("content", content.scores, slot, weight)


def rank_similar_images(snapshot: TenantSnapshot, slot: SlotArray) -> Ranking:
    """Scores all slots by the cosine of image embeddings with one item; `slot` has length 1.

    Items without an image embedding get -inf. All items get -inf if the item itself has none.
    """
    weight = np.ones(slot.size, dtype=np.float32)
    n_slots, n_model_items = snapshot.catalogue.n_slots, snapshot.n_model_items
    no_result = Ranking("content", np.full(n_slots, -np.inf, np.float32), slot, weight)
    if snapshot.visual_model is None:
        return no_result
    scores = _compute_content_similarity(snapshot, VisualSimilarity.name, slot, weight)
    if not scores.any():
        return no_result
    has_embedding = np.zeros(n_slots, dtype=bool)
    has_embedding[:n_model_items] = snapshot.visual_model.has_vector
    new_vectors = snapshot.new_item_vectors.get(VisualSimilarity.name)
    if new_vectors is not None:
        # The differences of a CSR matrix's indptr are the number of stored values of each row.
        row_lengths = np.diff(new_vectors.indptr)
        has_embedding[n_model_items : n_model_items + new_vectors.shape[0]] = row_lengths > 0
    return Ranking("content", np.where(has_embedding, scores, np.float32(-np.inf)), slot, weight)


def compute_new_item_scores(
    snapshot: TenantSnapshot, name: str, history: SlotArray, weight: Float32Array
) -> Float32Array:
    """Raw scores of one model for the items that were added after training; `history` are slots of trained items.

    Returns float32 (slots after the model's items); zero if the model has no vectors of them.
    """
    scores = np.zeros(snapshot.catalogue.n_slots - snapshot.n_model_items, dtype=np.float32)
    if name in snapshot.content_models and name in snapshot.new_item_vectors:
        user_vector = snapshot.content_models[name].compute_user_vector(history, weight)
        new_scores = snapshot.new_item_vectors[name] @ user_vector
        scores[: new_scores.size] = new_scores
    return scores


def _compute_rule_fraction(n_events: int) -> float:
    """Shrinkage of rule weights: 1 without events, 1/2 at PRIOR_EVENTS events."""
    return PRIOR_EVENTS / (PRIOR_EVENTS + n_events)


def _compute_tie_breaker(scores: Float32Array) -> Float32Array:
    """Scales scores so far down that they only order items that the rules leave equal."""
    largest = max(float(scores.max()), 1e-12)
    return scores / np.float32(_TIE_BREAKER_DIVISOR * largest)


def _rank_fallback(
    snapshot: TenantSnapshot, history: SlotArray = _NO_SLOTS, weight: Float32Array = _NO_WEIGHTS
) -> Ranking:
    popularity = _score_popularity(snapshot)
    if popularity is not None:
        return Ranking("popular", popularity, history, weight)
    return Ranking("recent", _score_recency(snapshot), history, weight)


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


def _has_behavioural_model(snapshot: TenantSnapshot) -> bool:
    if snapshot.bundle is None:
        return False
    weights = snapshot.bundle.ensemble.blend.weights
    return any(weight and name not in _NON_BEHAVIOURAL_MODELS for name, weight in weights.items())


def _has_active_content(snapshot: TenantSnapshot) -> bool:
    """A version whose training gave content no weight, because it was no better than popularity, does not use it here either."""
    if snapshot.bundle is None or snapshot.untrained_triple_model is not None:
        return True
    weights = snapshot.bundle.ensemble.blend.weights
    return any(weights.get(name, 0.0) > 0 for name in snapshot.content_models)


def _rank_by_model(
    snapshot: TenantSnapshot, history: SlotArray, weight: Float32Array, stage: Stage, *, explain: bool
) -> Ranking:
    assert snapshot.bundle is not None  # noqa: S101 - checked by the callers
    ensemble = snapshot.bundle.ensemble
    model_scores = ensemble.score_by_model(history, weight)
    has_new_items = snapshot.catalogue.n_slots > snapshot.n_model_items
    score_stats: dict[str, ScoreStats] = {}
    if has_new_items or explain:
        # Before the next call, which standardises the arrays of `model_scores` in place.
        score_stats = {name: ScoreStats.from_scores(scores) for name, scores in model_scores.items()}
    blended = ensemble.combine_history_scores(model_scores, history)
    if has_new_items:
        blended = np.concatenate([blended, _score_new_items(snapshot, history, weight, score_stats)])
    return Ranking(
        stage=stage,
        scores=blended,
        history=history,
        weight=weight,
        score_stats=score_stats,
        model_scores=model_scores if explain else {},
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
        stats = score_stats.get(name, _NO_STATS)
        if stats.is_constant or name in _MODELS_WITHOUT_NEW_ITEMS:
            continue
        raw_scores = compute_new_item_scores(snapshot, name, history, weight)
        blended += np.float32(model_weight) * ((raw_scores - stats.mean) / stats.deviation)
    return blended


def _score_by_content(snapshot: TenantSnapshot, history: SlotArray) -> _ContentScores:
    """Mean-free sum over the content models that have a score for this history; shared attributes replace missing models.

    Recent events count more: the weight falls by _RECENCY_DECAY with each event back in time.
    """
    events_back = np.arange(history.size - 1, -1, -1)
    recency_weights = np.power(_RECENCY_DECAY, events_back).astype(np.float32)
    scores_by_source: dict[str, Float32Array] = {}
    for name in snapshot.content_models:
        scores_by_source[name] = _compute_content_similarity(snapshot, name, history, recency_weights)
    if not scores_by_source.keys() - {TripleSimilarity.name}:
        scores_by_source["attributes"] = _score_shared_attributes(snapshot, history, recency_weights)
    informative = {name: scores for name, scores in scores_by_source.items() if scores.any()}
    uses_triples = TripleSimilarity.name in informative
    if not informative:
        return _ContentScores(np.zeros(snapshot.catalogue.n_slots, dtype=np.float32), uses_triples)
    if len(informative) == 1:
        # A single source keeps its own scale: z-scores are needed only to add different scales.
        return _ContentScores(next(iter(informative.values())), uses_triples)
    z_scores = [scale_to_z_scores(scores) for scores in informative.values()]
    return _ContentScores(np.sum(z_scores, axis=0), uses_triples)


def _compute_content_similarity(
    snapshot: TenantSnapshot, name: str, history: SlotArray, recency_weights: Float32Array
) -> Float32Array:
    """float32 (slots): cosine with the weighted sum of the history's vectors; both may include items added after training."""
    model, new_vectors = snapshot.content_models[name], snapshot.new_item_vectors.get(name)
    n_model_items = snapshot.n_model_items
    is_trained = history < n_model_items
    user_vector = model.compute_user_vector(history[is_trained], recency_weights[is_trained])
    if new_vectors is not None and not is_trained.all():
        rows = history[~is_trained] - n_model_items
        # Items that arrived after the vectors were computed have no row yet.
        has_row = rows < new_vectors.shape[0]
        user_vector = user_vector + new_vectors[rows[has_row]].T @ recency_weights[~is_trained][has_row]
    scores = np.zeros(snapshot.catalogue.n_slots, dtype=np.float32)
    scores[:n_model_items] = model.vectors @ user_vector
    if new_vectors is not None:
        scores[n_model_items : n_model_items + new_vectors.shape[0]] = new_vectors @ user_vector
    return scores


def _score_shared_attributes(
    snapshot: TenantSnapshot, history: SlotArray, recency_weights: Float32Array
) -> Float32Array:
    """float32 (slots): sum over the terms that a slot shares with the history, of recency times inverse document frequency."""
    catalogue = snapshot.catalogue
    slot_weights = np.zeros(catalogue.n_slots)
    # Unbuffered maximum: a slot that occurs twice in the history gets the weight of its latest event.
    np.maximum.at(slot_weights, history, recency_weights)
    n_terms = max(len(catalogue.vocabulary), 1)
    document_frequency = np.bincount(catalogue.terms, minlength=n_terms)
    inverse_frequency = np.log((1 + catalogue.n_slots) / (1 + document_frequency))
    # `terms` and `term_slots` are the (term, slot) pairs of the inverted index, so both sums below are sparse products.
    term_recency = np.bincount(
        catalogue.terms, weights=slot_weights[catalogue.term_slots], minlength=n_terms
    )
    term_weights = term_recency * inverse_frequency
    scores = np.bincount(
        catalogue.term_slots, weights=term_weights[catalogue.terms], minlength=catalogue.n_slots
    )
    return scores.astype(np.float32)


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
