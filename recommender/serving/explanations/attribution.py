"""What each member, and each event of the history, added to an item's blended score."""

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
from recommender.serving.scoring import Ranking, SlotArray, compute_new_item_scores
from recommender.serving.snapshot.new_item_vectors import ContentModel
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.types import Float32Array

MAX_EXPLAINED_EVENTS = 20
NEIGHBOURHOOD_MODELS = (Transitions.name, ItemKNN.name, Ease.name)
Float64Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoreAttribution:
    """`events` are slots of the history. `links[e, i]` is what event e adds to shown item i through the
    neighbourhood members, in units of the blended score; `likeness[name][e, i]` is their cosine to a blended member that
    knows items by what they are. `members[name][i]` is the member's addend."""

    events: SlotArray
    event_contributions: Float64Array
    similarities: dict[str, Float64Array]
    model_contributions: dict[str, Float64Array]


def compute_attribution(snapshot: TenantSnapshot, ranking: Ranking, slots: Sequence[int]) -> ScoreAttribution:
    """The neighbourhood members are linear: the parts of the events add up to a member's score. Items the model has not seen
    get no links, and addends by what they are alone."""
    assert snapshot.bundle is not None  # noqa: S101 - a ranking with moments has a model
    ensemble = snapshot.bundle.ensemble
    history, weight = _drop_repeats(ranking.history, ranking.weight)
    events, strength = history[-MAX_EXPLAINED_EVENTS:], weight[-MAX_EXPLAINED_EVENTS:]
    shown = np.asarray(slots)
    known = shown < snapshot.n_model_items
    columns = np.minimum(shown, snapshot.n_model_items - 1)
    shares = ensemble.blend.weights
    members = {
        name: np.where(known, part[columns], 0) * np.float64(shares[name])
        for name, part in ranking.model_scores.items()
    }
    for name in snapshot.content_models.keys() & members.keys():
        late = compute_new_item_scores(snapshot, name, ranking.history, ranking.weight)
        members[name][~known] = _compute_contribution(
            snapshot, ranking, name, late[shown[~known] - snapshot.n_model_items]
        )
    links = np.zeros((len(events), shown.size))
    for name, member in ensemble.models.items():
        deviation = ranking.score_stats.get(name, (0.0, 0.0))[1]
        if isinstance(member, NeighbourhoodModel) and name in members and deviation > 1e-12:
            share = shares[name] / deviation
            links += np.where(known, member.compute_contributions(events, strength, columns) * share, 0.0)
    cosines = {
        name: compute_similarities(snapshot, member, events, shown)
        for name, member in snapshot.content_models.items()
        if name in members
    }
    return ScoreAttribution(events, links, cosines, members)


def _compute_contribution(
    snapshot: TenantSnapshot, ranking: Ranking, name: str, raw_scores: Float32Array
) -> Float64Array:
    mean, deviation = ranking.score_stats[name]
    share = snapshot.bundle.ensemble.blend.weights[name] if snapshot.bundle else 0.0
    return (raw_scores.astype(np.float64) - mean) * (share / deviation if deviation > 1e-12 else 0.0)


def compute_similarities(
    snapshot: TenantSnapshot, model: ContentModel, events: SlotArray, shown_slots: NDArray[np.int64]
) -> Float64Array:
    """float64 (events, shown): cosines of items; zero where one of the two is not known."""
    found: Float64Array = (
        _select_vectors(snapshot, model, events) @ _select_vectors(snapshot, model, shown_slots).T
    ).toarray()
    return found


def _select_vectors(snapshot: TenantSnapshot, model: ContentModel, slots: NDArray[Any]) -> Any:
    """The vectors of some slots as CSR: of the model's items from the member, of newcomers from what came later."""
    behind = slots >= snapshot.n_model_items
    rows = _select_rows_or_zero(model.vectors, slots, ~behind)
    late = snapshot.new_item_vectors.get(model.name)
    if late is None or not behind.any():
        return rows
    places = slots - snapshot.n_model_items
    return rows + _select_rows_or_zero(late, places, behind & (places < late.shape[0]))


def _select_rows_or_zero(vectors: Any, rows: NDArray[Any], mask: NDArray[np.bool_]) -> Any:
    """The rows that are wanted; the others are zero."""
    if not vectors.shape[0]:
        return sparse.csr_matrix((rows.size, vectors.shape[1]))
    found = sparse.csr_matrix(vectors[np.where(mask, rows, 0)])
    return found if mask.all() else sparse.diags(mask.astype(np.float64)) @ found


def _drop_repeats(slots: SlotArray, weight: Float32Array) -> tuple[SlotArray, Float32Array]:
    """As the members read a history: of immediate repetitions the last counts."""
    keep = np.r_[slots[1:] != slots[:-1], np.ones(min(slots.size, 1), dtype=bool)]
    return slots[keep], weight[keep]
