"""Scores for every slot of a tenant's catalogue, by the best stage that the situation allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recommender.algorithms.content import Content
from recommender.algorithms.ensemble import ORDERED
from recommender.algorithms.features_model import FeaturesScorer
from recommender.algorithms.popularity import Popularity
from recommender.algorithms.recent_popularity import RecentPopularity
from recommender.algorithms.reputation import Reputation
from recommender.serving.ready import Ready
from recommender.serving.types import Stage
from recommender.types import Floats

Slots = NDArray[np.int32]
_DECAY = 0.7
# What is known of an item without anybody's choices, or without regard to whose history is asked about.
_NO_BEHAVIOUR = (
    Content.name,
    FeaturesScorer.name,
    Popularity.name,
    RecentPopularity.name,
    Reputation.name,
)
# A score of zero is no absence of evidence to these: they give every item a place.
_PLACES_EVERYTHING = (FeaturesScorer.name, *ORDERED)
_LATEST = 50


@dataclass(frozen=True, slots=True)
class Ranking:
    """`scores` float32 (slots); -inf for what this stage can say nothing about.

    `moments` are mean and deviation of each blended member's raw scores; with the slots of `history` and
    their weights they are what reasons are computed from.
    """

    stage: Stage
    scores: Floats
    history: Slots
    weight: Floats
    moments: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def rank(ready: Ready, history: Slots, weight: Floats, *, session: bool, explain: bool = False) -> Ranking:
    """`history` are slots, oldest first; the last resort with an empty catalogue is the stage `empty`.

    Without `explain` the moments may be missing, for they cost a pass over all scores.
    """
    if ready.columns.slots == 0:
        return Ranking("empty", np.empty(0, dtype=np.float32), history, weight)
    known = history < ready.known
    if known.any() and ready.bundle is not None and _has_behaviour(ready):
        stage: Stage = "model_session" if session else "model"
        return _by_model(ready, history[known], weight[known], stage, explain=explain)
    if history.size and _reads_content(ready):
        return Ranking("content", _by_content(ready, history[-_LATEST:]), history, weight)
    popular = _popular(ready)
    if popular is not None:
        return Ranking("popular", popular, history, weight)
    return Ranking("recent", _recent(ready), history, weight)


def alike(ready: Ready, slot: Slots) -> Ranking:
    """By texts where there are any, else by what is chosen together, else by facts in common."""
    weight = np.ones(slot.size, dtype=np.float32)
    by_content = _by_content(ready, slot)
    if not by_content.any() and slot[0] < ready.known and _has_behaviour(ready):
        return _by_model(ready, slot, weight, "model_session", explain=False)
    return Ranking("content", by_content, slot, weight)


def _has_behaviour(ready: Ready) -> bool:
    weights = ready.bundle.ensemble.blend.weights if ready.bundle else {}
    return any(weight and name not in _NO_BEHAVIOUR for name, weight in weights.items())


def _reads_content(ready: Ready) -> bool:
    """A model that was found no better than popularity leaves likeness out of its blend, and so do we."""
    return ready.bundle is None or ready.bundle.ensemble.blend.weights.get(Content.name, 0.0) > 0


def _by_model(ready: Ready, history: Slots, weight: Floats, stage: Stage, *, explain: bool) -> Ranking:
    assert ready.bundle is not None  # noqa: S101 - rank() asked before
    ensemble = ready.bundle.ensemble
    members = ensemble.member_scores(history, weight)
    late = ready.columns.slots > ready.known
    moments = {name: _moments(scores) for name, scores in members.items()} if late or explain else {}
    blended = ensemble.blend.combine(members)
    if late:
        blended = np.concatenate([blended, _newcomers(ready, history, weight, moments)])
    return Ranking(stage, blended, history, weight, moments)


def _moments(scores: Floats) -> tuple[float, float]:
    return float(scores.mean()), float(scores.std())


def _newcomers(
    ready: Ready, history: Slots, weight: Floats, moments: Mapping[str, tuple[float, float]]
) -> Floats:
    """An item without behaviour: content counts as for any other item, elsewhere it has no evidence.

    Neighbours, factors and popularity score it zero, as they score every item without a link to the history; the
    models that place every item cannot place it, so it stands at their mean.
    """
    assert ready.bundle is not None  # noqa: S101 - rank() asked before
    width = ready.columns.slots - ready.known
    scores = np.zeros(width, dtype=np.float32)
    for name, share in ready.bundle.ensemble.blend.weights.items():
        mean, deviation = moments.get(name, (0.0, 0.0))
        if deviation <= 1e-12 or name in _PLACES_EVERYTHING:
            continue
        raw: Floats | float = 0.0
        if name == Content.name and ready.content is not None and ready.newcomers is not None:
            raw = ready.newcomers @ ready.content.profile(history, weight)
        scores += np.float32(share) * ((raw - mean) / deviation)
    return scores


def _by_content(ready: Ready, history: Slots) -> Floats:
    """Texts where the model reads them, else categories, tags, brand and attributes in common."""
    fade = np.power(_DECAY, np.arange(history.size - 1, -1, -1)).astype(np.float32)
    if ready.content is None:
        return _overlap(ready, history, fade)
    known = history < ready.known
    profile = ready.content.profile(history[known], fade[known])
    if ready.newcomers is not None and not known.all():
        profile = profile + ready.newcomers[history[~known] - ready.known].T @ fade[~known]
    scores = ready.content.vectors @ profile
    late = np.zeros(0) if ready.newcomers is None else ready.newcomers @ profile
    missing = ready.columns.slots - ready.known - late.size
    return np.concatenate([scores, late, np.zeros(missing)]).astype(np.float32)


def _overlap(ready: Ready, history: Slots, fade: Floats) -> Floats:
    """Inverse-frequency weighted facts shared with the history, by how recent."""
    columns = ready.columns
    worth = np.zeros(columns.slots)
    np.maximum.at(worth, history, fade)
    facts = max(len(columns.vocabulary), 1)
    frequency = np.bincount(columns.facts, minlength=facts)
    rarity = np.log((1 + columns.slots) / (1 + frequency))
    liked = np.bincount(columns.facts, weights=worth[columns.fact_slots], minlength=facts) * rarity
    scores = np.bincount(columns.fact_slots, weights=liked[columns.facts], minlength=columns.slots)
    return scores.astype(np.float32)


def _popular(ready: Ready) -> Floats | None:
    """Counts of the model, then the newest first; None where nothing was ever counted."""
    member = ready.bundle.ensemble.members.get(Popularity.name) if ready.bundle else None
    if member is None:
        return None
    counts = member.score_one(np.empty(0, dtype=np.int32))
    scores = _recent(ready) * np.float32(1e-3)
    scores[: counts.size] += counts
    return scores


def _recent(ready: Ready) -> Floats:
    """Between 0 and 1: item numbers grow in order of arrival."""
    newest = max(int(ready.columns.item_no.max(initial=1)), 1)
    return (ready.columns.item_no / newest).astype(np.float32)
