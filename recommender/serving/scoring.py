"""Scores for every slot of a tenant's catalogue, by the best stage that the situation allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recommender.algorithms.blend import standardised
from recommender.algorithms.content import Content
from recommender.algorithms.ensemble import ORDERED
from recommender.algorithms.features_model import FeaturesScorer
from recommender.algorithms.knowledge import Knowledge
from recommender.algorithms.look import Look
from recommender.algorithms.popularity import Popularity
from recommender.algorithms.recent_popularity import RecentPopularity
from recommender.algorithms.reputation import Reputation
from recommender.serving.ready import Ready
from recommender.serving.rules import Applied, prior
from recommender.serving.types import Stage
from recommender.types import Floats

Slots = NDArray[np.int32]
_NOTHING: Slots = np.empty(0, dtype=np.int32)
_WEIGHTLESS: Floats = np.empty(0, dtype=np.float32)
_DECAY = 0.7
# What is known of an item without anybody's choices, or without regard to whose history is asked about.
_NO_BEHAVIOUR = (
    Content.name,
    Look.name,
    Knowledge.name,
    FeaturesScorer.name,
    Popularity.name,
    RecentPopularity.name,
    Reputation.name,
)
# A score of zero is no absence of evidence to these: they give every item a place.
_PLACES_EVERYTHING = (FeaturesScorer.name, *ORDERED)
_LATEST = 50
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
    scores: Floats
    history: Slots
    weight: Floats
    moments: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    members: Mapping[str, Floats] = field(default_factory=dict)
    applied: Sequence[Applied] = ()


def rank(
    ready: Ready,
    history: Slots,
    weight: Floats,
    *,
    session: bool,
    explain: bool = False,
    applied: Sequence[Applied] = (),
) -> Ranking:
    """`history` are slots, oldest first; the last resort with an empty catalogue is the stage `empty`.

    Without `explain` moments and members may be missing, for they cost a pass over all scores. What is learned from behaviour
    goes before what is stated, and that before favourites.
    """
    if ready.columns.slots == 0:
        return Ranking("empty", np.empty(0, dtype=np.float32), history, weight)
    known = history < ready.known
    if known.any() and ready.bundle is not None and _has_behaviour(ready):
        stage: Stage = "model_session" if session else "model"
        learned = _by_model(ready, history[known], weight[known], stage, explain=explain)
        return _with_rules(learned, applied, PRIOR_EVENTS / (PRIOR_EVENTS + int(known.sum())))
    if history.size and _reads_content(ready):
        scores, stated = _by_content(ready, history[-_LATEST:])
        likely = Ranking("knowledge" if applied or stated else "content", scores, history, weight)
        return _with_rules(likely, applied, PRIOR_EVENTS / (PRIOR_EVENTS + history.size))
    if applied:
        # Favourites order the items that the rules leave equal.
        favourites = _favourites(ready)
        scores = favourites.scores / np.float32(1000 * max(float(favourites.scores.max()), 1e-12))
        return _with_rules(Ranking("knowledge", scores, history, weight), applied, None)
    return _favourites(ready, history, weight)


def _favourites(ready: Ready, history: Slots = _NOTHING, weight: Floats = _WEIGHTLESS) -> Ranking:
    popular = _popular(ready)
    if popular is not None:
        return Ranking("popular", popular, history, weight)
    return Ranking("recent", _recent(ready), history, weight)


def _with_rules(ranking: Ranking, applied: Sequence[Applied], share: float | None) -> Ranking:
    """Weights of rules are in deviations of the scores they are added to, times `share`; without one as they are."""
    if not applied:
        return ranking
    worth = 1.0 if share is None else share * (float(ranking.scores.std()) or 1.0)
    raised = ranking.scores + np.float32(worth) * prior(applied, ranking.scores.size)
    return replace(ranking, scores=raised, applied=applied)


def alike(ready: Ready, slot: Slots) -> Ranking:
    """By texts and looks where there are any, else by what is chosen together, else by facts in common."""
    weight = np.ones(slot.size, dtype=np.float32)
    by_content, _ = _by_content(ready, slot)
    if not by_content.any() and slot[0] < ready.known and _has_behaviour(ready):
        return _by_model(ready, slot, weight, "model_session", explain=False)
    return Ranking("content", by_content, slot, weight)


def alike_by_look(ready: Ready, slot: Slots) -> Ranking:
    """By images alone; -inf for an item without one, for all where the asked-for item has none."""
    weight = np.ones(slot.size, dtype=np.float32)
    nothing = Ranking("content", np.full(ready.columns.slots, -np.inf, np.float32), slot, weight)
    if ready.look is None:
        return nothing
    scores = _likeness(ready, Look.name, slot, weight)
    if not scores.any():
        return nothing
    late = ready.newcomers.get(Look.name)
    described = np.zeros(ready.columns.slots, dtype=bool)
    described[: ready.known] = ready.look.described
    if late is not None:
        described[ready.known : ready.known + late.shape[0]] = np.diff(late.indptr) > 0
    return Ranking("content", np.where(described, scores, np.float32(-np.inf)), slot, weight)


def _has_behaviour(ready: Ready) -> bool:
    weights = ready.bundle.ensemble.blend.weights if ready.bundle else {}
    return any(weight and name not in _NO_BEHAVIOUR for name, weight in weights.items())


def _reads_content(ready: Ready) -> bool:
    """A model that was found no better than popularity leaves likeness out of its blend, and so do we."""
    if ready.bundle is None or ready.told is not None:
        return True
    return any(ready.bundle.ensemble.blend.weights.get(name, 0.0) > 0 for name in ready.describing)


def _by_model(ready: Ready, history: Slots, weight: Floats, stage: Stage, *, explain: bool) -> Ranking:
    assert ready.bundle is not None  # noqa: S101 - rank() asked before
    ensemble = ready.bundle.ensemble
    members = ensemble.member_scores(history, weight)
    late = ready.columns.slots > ready.known
    moments = {name: _moments(scores) for name, scores in members.items()} if late or explain else {}
    # Standardised in place.
    blended = ensemble.judged_one(members, history)
    if late:
        blended = np.concatenate([blended, _newcomers(ready, history, weight, moments)])
    return Ranking(stage, blended, history, weight, moments, members if explain else {})


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
        scores += np.float32(share) * ((newcomer_scores(ready, name, history, weight) - mean) / deviation)
    return scores


def newcomer_scores(ready: Ready, name: str, history: Slots, weight: Floats) -> Floats:
    """float32 (slots behind the model's): a member's own scores, zero where it knows nothing of them."""
    scores = np.zeros(ready.columns.slots - ready.known, dtype=np.float32)
    if name in ready.describing and name in ready.newcomers:
        late = ready.newcomers[name] @ ready.describing[name].profile(history, weight)
        scores[: late.size] = late
    return scores


def _by_content(ready: Ready, history: Slots) -> tuple[Floats, bool]:
    """By texts, looks and stated links where there are any, and whether links spoke; without a model that reads texts by
    categories, tags, brand and attributes in common."""
    fade = np.power(_DECAY, np.arange(history.size - 1, -1, -1)).astype(np.float32)
    parts = {name: _likeness(ready, name, history, fade) for name in ready.describing}
    if not parts.keys() - {Knowledge.name}:
        parts["facts"] = _overlap(ready, history, fade)
    telling = {name: part for name, part in parts.items() if part.any()}
    if len(telling) < 2:
        scores = next(iter(telling.values()), np.zeros(ready.columns.slots, dtype=np.float32))
    else:
        scores = np.sum([standardised(part) for part in telling.values()], axis=0)
    return scores, Knowledge.name in telling


def _likeness(ready: Ready, name: str, history: Slots, fade: Floats) -> Floats:
    """float32 (slots): the cosine with what the history is like, newcomers included on both sides."""
    member, late = ready.describing[name], ready.newcomers.get(name)
    known = history < ready.known
    profile = member.profile(history[known], fade[known])
    if late is not None and not known.all():
        places = history[~known] - ready.known
        inside = places < late.shape[0]
        profile = profile + late[places[inside]].T @ fade[~known][inside]
    scores = np.zeros(ready.columns.slots, dtype=np.float32)
    scores[: ready.known] = member.vectors @ profile
    if late is not None:
        scores[ready.known : ready.known + late.shape[0]] = late @ profile
    return scores


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
