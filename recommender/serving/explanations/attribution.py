"""Attributes a blended score to the models of the ensemble and to the events of the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.algorithms.neighbourhood.ease import Ease
from recommender.algorithms.neighbourhood.item_knn import ItemKNN
from recommender.algorithms.neighbourhood.model import NeighbourhoodModel
from recommender.algorithms.neighbourhood.transitions import Transitions
from recommender.serving.content_scoring import SlotArray, compute_new_item_scores
from recommender.serving.ranking import Ranking
from recommender.serving.snapshot.new_item_vectors import ContentModel
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.types import BoolArray, Float32Array

MAX_EXPLAINED_EVENTS = 20
NEIGHBOURHOOD_MODELS = (Transitions.name, ItemKNN.name, Ease.name)
Float64Array = NDArray[np.float64]


@dataclass(
    frozen=True,
    slots=True,
)
class ScoreAttribution:
    """Parts of the blended scores of the shown items.

    Attributes:
        events: slots of the latest events of the history, at most MAX_EXPLAINED_EVENTS, oldest first.
        event_contributions: float64 (events, shown items), what an event adds to an item's score through the neighbourhood
            models, in units of the blended score.
        similarities: by name of a blended content model, float64 (events, shown items), cosines.
        model_contributions: by model name, float64 (shown items), the model's addend of the blended score.
    """

    events: SlotArray
    event_contributions: Float64Array
    similarities: dict[str, Float64Array]
    model_contributions: dict[str, Float64Array]


def compute_attribution(snapshot: TenantSnapshot, ranking: Ranking, slots: Sequence[int]) -> ScoreAttribution:
    """Splits the blended scores of the shown `slots`; the ranking must hold the scores of each model.

    Neighbourhood models are linear in the history, so the parts of the events add up to the model's score. Items that were added
    after training have contributions of content models only.
    """
    history, weight = _drop_repeats(ranking.history, ranking.weight)
    events = history[-MAX_EXPLAINED_EVENTS:]
    shown_slots = np.asarray(slots)
    model_contributions = _compute_model_contributions(snapshot, ranking, shown_slots)
    event_contributions = _compute_event_contributions(
        snapshot,
        ranking,
        events,
        weight[-MAX_EXPLAINED_EVENTS:],
        shown_slots,
    )
    similarities = {
        name: compute_similarities(
            snapshot,
            model,
            events,
            shown_slots,
        )
        for name, model in snapshot.content_models.items()
        if name in model_contributions
    }
    return ScoreAttribution(
        events=events,
        event_contributions=event_contributions,
        similarities=similarities,
        model_contributions=model_contributions,
    )


def compute_similarities(
    snapshot: TenantSnapshot,
    model: ContentModel,
    events: SlotArray,
    shown_slots: NDArray[np.int64],
) -> Float64Array:
    """float64 (events, shown slots): cosines of the items' vectors; zero where an item has no vector."""
    event_vectors = _select_vectors(snapshot, model, events)
    shown_vectors = _select_vectors(snapshot, model, shown_slots)
    cosines: Float64Array = (event_vectors @ shown_vectors.T).toarray()
    return cosines


def _compute_model_contributions(
    snapshot: TenantSnapshot, ranking: Ranking, shown_slots: NDArray[np.int64]
) -> dict[str, Float64Array]:
    """By model name, float64 (shown slots): blend weight times standardised score."""
    assert snapshot.bundle is not None  # noqa: S101 - a ranking with model scores has a model
    weights = snapshot.bundle.ensemble.blend.weights
    is_trained, columns = _to_model_columns(snapshot, shown_slots)
    contributions: dict[str, Float64Array] = {}
    for name, scores in ranking.model_scores.items():
        contributions[name] = np.where(is_trained, scores[columns], 0) * np.float64(weights[name])
    for name in snapshot.content_models.keys() & contributions.keys():
        new_scores = compute_new_item_scores(
            snapshot,
            name,
            ranking.history,
            ranking.weight,
        )
        raw_scores = new_scores[shown_slots[~is_trained] - snapshot.n_model_items]
        contributions[name][~is_trained] = _standardize(
            ranking,
            name,
            raw_scores,
            weights[name],
        )
    return contributions


def _standardize(
    ranking: Ranking,
    name: str,
    raw_scores: Float32Array,
    weight: float,
) -> Float64Array:
    """Raw scores of one model in units of the blended score; zero if the model's scores are constant."""
    stats = ranking.score_stats[name]
    scale = 0.0
    if not stats.is_constant:
        scale = weight / stats.deviation
    return (raw_scores.astype(np.float64) - stats.mean) * scale


def _compute_event_contributions(
    snapshot: TenantSnapshot,
    ranking: Ranking,
    events: SlotArray,
    weight: Float32Array,
    shown_slots: NDArray[np.int64],
) -> Float64Array:
    """float64 (events, shown slots): sum over the neighbourhood models."""
    assert snapshot.bundle is not None  # noqa: S101 - a ranking with model scores has a model
    ensemble = snapshot.bundle.ensemble
    is_trained, columns = _to_model_columns(snapshot, shown_slots)
    contributions = np.zeros((len(events), shown_slots.size))
    for name, model in ensemble.models.items():
        if not isinstance(model, NeighbourhoodModel) or name not in ranking.model_scores:
            continue
        stats = ranking.score_stats.get(name)
        if stats is None or stats.is_constant:
            continue
        scale = ensemble.blend.weights[name] / stats.deviation
        raw_contributions = model.compute_contributions(events, weight, columns)
        contributions += np.where(is_trained, raw_contributions * scale, 0.0)
    return contributions


def _to_model_columns(
    snapshot: TenantSnapshot, shown_slots: NDArray[np.int64]
) -> tuple[BoolArray, NDArray[Any]]:
    """Which shown slots are items of the model, and their columns; other slots get the last column, to be masked out."""
    is_trained = shown_slots < snapshot.n_model_items
    return is_trained, np.minimum(shown_slots, snapshot.n_model_items - 1)


def _select_vectors(snapshot: TenantSnapshot, model: ContentModel, slots: NDArray[Any]) -> Any:
    """CSR (slots, width of the model): trained vectors of the model's items, new-item vectors of the others."""
    is_new = slots >= snapshot.n_model_items
    vectors = _select_rows_or_zero(model.vectors, slots, ~is_new)
    new_vectors = snapshot.new_item_vectors.get(model.name)
    if new_vectors is None or not is_new.any():
        return vectors
    rows = slots - snapshot.n_model_items
    # Each slot has a non-zero row in at most one of the two matrices, so their sum merges them.
    return vectors + _select_rows_or_zero(new_vectors, rows, is_new & (rows < new_vectors.shape[0]))


def _select_rows_or_zero(vectors: Any, rows: NDArray[Any], mask: BoolArray) -> Any:
    """CSR: `vectors[rows]` where the mask is set, zero rows elsewhere; rows outside the mask may be out of range."""
    if not vectors.shape[0]:
        return sparse.csr_matrix((rows.size, vectors.shape[1]))
    selected = sparse.csr_matrix(vectors[np.where(mask, rows, 0)])
    if mask.all():
        return selected
    # A 0/1 diagonal clears the rows that stand for indices outside the mask.
    return sparse.diags(mask.astype(np.float64)) @ selected


def _drop_repeats(slots: SlotArray, weight: Float32Array) -> tuple[SlotArray, Float32Array]:
    """Keeps the last of immediate repetitions, as the models do when they read a history."""
    # An event is kept if the next one is of another item; the last event is always kept.
    differs_from_next = np.r_[slots[1:] != slots[:-1], np.ones(min(slots.size, 1), dtype=bool)]
    return slots[differs_from_next], weight[differs_from_next]
