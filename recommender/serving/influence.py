"""What each member, and each event of the history, added to an item's blended score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.algorithms.content import Content
from recommender.algorithms.ease import Ease
from recommender.algorithms.item_neighbours import ItemNeighbours
from recommender.algorithms.transitions import Transitions
from recommender.serving.ready import Ready
from recommender.serving.scoring import Ranking, Slots
from recommender.types import Floats, Histories

LATEST = 20
LINKS = (Transitions.name, ItemNeighbours.name, Ease.name)
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Influence:
    """`events` are slots of the history. `links[e, i]` is what event e adds to shown item i through the
    neighbourhood members, in units of the blended score; `likeness[e, i]` is their cosine by content.
    `members[name][i]` is the member's addend."""

    events: Slots
    links: Doubles
    likeness: Doubles
    members: dict[str, Doubles]


def influence(ready: Ready, ranking: Ranking, slots: Sequence[int]) -> Influence:
    """The neighbourhood members are linear: each is asked once for every event with all other weights at zero,
    so the parts add up to its score. Items the model has not seen get no links."""
    assert ready.bundle is not None  # noqa: S101 - a ranking with moments has a model
    ensemble = ready.bundle.ensemble
    history, weight = _without_repeats(ranking.history, ranking.weight)
    alone = _one_at_a_time(history, weight)
    shown = np.asarray(slots)
    known = shown < ready.known
    columns = np.minimum(shown, ready.known - 1)
    raw = ensemble.member_scores(ranking.history, ranking.weight)
    members = {name: np.where(known, _addend(ready, ranking, name, raw[name][columns]), 0.0) for name in raw}
    links = np.zeros((len(alone), shown.size))
    for name in LINKS:
        deviation = ranking.moments.get(name, (0.0, 0.0))[1]
        if name in raw and deviation > 1e-12:
            share = ensemble.blend.weights[name] / deviation
            links += np.where(known, ensemble.members[name].score(alone)[:, columns] * share, 0.0)
    likeness = _likeness(ready.content, alone, columns) * known
    return Influence(history[-LATEST:], links, likeness, members)


def _addend(ready: Ready, ranking: Ranking, name: str, raw: Floats) -> Doubles:
    mean, deviation = ranking.moments[name]
    share = ready.bundle.ensemble.blend.weights[name] if ready.bundle else 0.0
    return (raw.astype(np.float64) - mean) * (share / deviation if deviation > 1e-12 else 0.0)


def _likeness(content: Content | None, alone: Histories, columns: NDArray[np.int64]) -> Doubles:
    if content is None:
        return np.zeros((len(alone), columns.size))
    return content.score(alone)[:, columns].astype(np.float64)


def _without_repeats(slots: Slots, weight: Floats) -> tuple[Slots, Floats]:
    """As the members read a history: of immediate repetitions the last counts."""
    keep = np.r_[slots[1:] != slots[:-1], np.ones(min(slots.size, 1), dtype=bool)]
    return slots[keep], weight[keep]


def _one_at_a_time(slots: Slots, weight: Floats) -> Histories:
    """The same history once for each of its latest events, with only that event's weight."""
    rows = min(slots.size, LATEST)
    weights = np.zeros((rows, slots.size), dtype=np.float32)
    weights[np.arange(rows), np.arange(slots.size - rows, slots.size)] = weight[slots.size - rows :]
    return Histories(np.arange(rows + 1, dtype=np.int64) * slots.size, np.tile(slots, rows), weights.ravel())
