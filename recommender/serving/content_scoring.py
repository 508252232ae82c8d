"""Scores by item content: similarity of texts, images, triples and attributes with a history.

Slots are those of the snapshot's catalogue. Items that were added after training take part on both sides: as items of the
history and as items to score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.numeric import scale_to_z_scores
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.types import Float32Array

SlotArray = NDArray[np.int32]
_RECENCY_DECAY = 0.7


@dataclass(
    frozen=True,
    slots=True,
)
class ContentScores:
    """`scores` is float32 (slots); `uses_triples` says whether triples contributed."""

    scores: Float32Array
    uses_triples: bool


def score_by_content(snapshot: TenantSnapshot, history: SlotArray) -> ContentScores:
    """Mean-free sum over the content models that have a score for this history; shared attributes replace missing models.

    Recent events count more: the weight falls by _RECENCY_DECAY with each event back in time.
    """
    # 0 for the latest event, history.size - 1 for the oldest.
    events_back = np.arange(history.size - 1, -1, -1)
    recency_weights = np.power(_RECENCY_DECAY, events_back).astype(np.float32)
    scores_by_source: dict[str, Float32Array] = {}
    for name in snapshot.content_models:
        scores_by_source[name] = compute_content_similarity(
            snapshot,
            name,
            history,
            recency_weights,
        )
    # Shared attributes stand in for a text or image model; triples alone describe too few items.
    if not scores_by_source.keys() - {TripleSimilarity.name}:
        scores_by_source["attributes"] = _score_shared_attributes(snapshot, history, recency_weights)
    informative = {name: scores for name, scores in scores_by_source.items() if scores.any()}
    uses_triples = TripleSimilarity.name in informative
    if not informative:
        return ContentScores(np.zeros(snapshot.catalogue.n_slots, dtype=np.float32), uses_triples)
    if len(informative) == 1:
        # A single source keeps its own scale: z-scores are needed only to add different scales.
        return ContentScores(next(iter(informative.values())), uses_triples)
    z_scores = [scale_to_z_scores(scores) for scores in informative.values()]
    return ContentScores(np.sum(z_scores, axis=0), uses_triples)


def compute_content_similarity(
    snapshot: TenantSnapshot,
    name: str,
    history: SlotArray,
    recency_weights: Float32Array,
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


def compute_new_item_scores(
    snapshot: TenantSnapshot,
    name: str,
    history: SlotArray,
    weight: Float32Array,
) -> Float32Array:
    """Raw scores of one model for the items that were added after training; `history` are slots of trained items.

    Returns float32 (slots after the model's items); zero if the model has no vectors of them.
    """
    scores = np.zeros(snapshot.catalogue.n_slots - snapshot.n_model_items, dtype=np.float32)
    if name in snapshot.content_models and name in snapshot.new_item_vectors:
        user_vector = snapshot.content_models[name].compute_user_vector(history, weight)
        new_scores = snapshot.new_item_vectors[name] @ user_vector
        # Items that arrived after the vectors were computed keep the score zero.
        scores[: new_scores.size] = new_scores
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
        catalogue.terms,
        weights=slot_weights[catalogue.term_slots],
        minlength=n_terms,
    )
    term_weights = term_recency * inverse_frequency
    scores = np.bincount(
        catalogue.term_slots,
        weights=term_weights[catalogue.terms],
        minlength=catalogue.n_slots,
    )
    return scores.astype(np.float32)
