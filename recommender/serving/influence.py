"""What each member, and each event of the history, added to an item's blended score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.algorithms.ease import Ease
from recommender.algorithms.item_neighbours import ItemNeighbours
from recommender.algorithms.tabled import Tabled
from recommender.algorithms.transitions import Transitions
from recommender.serving.newcomers import Describing
from recommender.serving.ready import Ready
from recommender.serving.scoring import Ranking, Slots, newcomer_scores
from recommender.types import Floats

LATEST = 20
LINKS = (Transitions.name, ItemNeighbours.name, Ease.name)
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Influence:
    """`events` are slots of the history. `links[e, i]` is what event e adds to shown item i through the
    neighbourhood members, in units of the blended score; `likeness[name][e, i]` is their cosine to a blended member that
    knows items by what they are. `members[name][i]` is the member's addend."""

    events: Slots
    links: Doubles
    likeness: dict[str, Doubles]
    members: dict[str, Doubles]


def influence(ready: Ready, ranking: Ranking, slots: Sequence[int]) -> Influence:
    """The neighbourhood members are linear: the parts of the events add up to a member's score. Items the model has not seen
    get no links, and addends by what they are alone."""
    assert ready.bundle is not None  # noqa: S101 - a ranking with moments has a model
    ensemble = ready.bundle.ensemble
    history, weight = _without_repeats(ranking.history, ranking.weight)
    events, strength = history[-LATEST:], weight[-LATEST:]
    shown = np.asarray(slots)
    known = shown < ready.known
    columns = np.minimum(shown, ready.known - 1)
    shares = ensemble.blend.weights
    members = {
        name: np.where(known, part[columns], 0) * np.float64(shares[name])
        for name, part in ranking.members.items()
    }
    for name in ready.describing.keys() & members.keys():
        late = newcomer_scores(ready, name, ranking.history, ranking.weight)
        members[name][~known] = _addend(ready, ranking, name, late[shown[~known] - ready.known])
    links = np.zeros((len(events), shown.size))
    for name, member in ensemble.members.items():
        deviation = ranking.moments.get(name, (0.0, 0.0))[1]
        if isinstance(member, Tabled) and name in members and deviation > 1e-12:
            share = shares[name] / deviation
            links += np.where(known, member.links(events, strength, columns) * share, 0.0)
    cosines = {
        name: likeness(ready, member, events, shown)
        for name, member in ready.describing.items()
        if name in members
    }
    return Influence(events, links, cosines, members)


def _addend(ready: Ready, ranking: Ranking, name: str, raw: Floats) -> Doubles:
    mean, deviation = ranking.moments[name]
    share = ready.bundle.ensemble.blend.weights[name] if ready.bundle else 0.0
    return (raw.astype(np.float64) - mean) * (share / deviation if deviation > 1e-12 else 0.0)


def likeness(ready: Ready, member: Describing, events: Slots, shown: NDArray[np.int64]) -> Doubles:
    """float64 (events, shown): cosines of items; zero where one of the two is not known."""
    found: Doubles = (_rows(ready, member, events) @ _rows(ready, member, shown).T).toarray()
    return found


def _rows(ready: Ready, member: Describing, slots: NDArray[Any]) -> Any:
    """The vectors of some slots as CSR: of the model's items from the member, of newcomers from what came later."""
    behind = slots >= ready.known
    rows = _where(member.vectors, slots, ~behind)
    late = ready.newcomers.get(member.name)
    if late is None or not behind.any():
        return rows
    places = slots - ready.known
    return rows + _where(late, places, behind & (places < late.shape[0]))


def _where(vectors: Any, rows: NDArray[Any], wanted: NDArray[np.bool_]) -> Any:
    """The rows that are wanted; the others are zero."""
    if not vectors.shape[0]:
        return sparse.csr_matrix((rows.size, vectors.shape[1]))
    found = sparse.csr_matrix(vectors[np.where(wanted, rows, 0)])
    return found if wanted.all() else sparse.diags(wanted.astype(np.float64)) @ found


def _without_repeats(slots: Slots, weight: Floats) -> tuple[Slots, Floats]:
    """As the members read a history: of immediate repetitions the last counts."""
    keep = np.r_[slots[1:] != slots[:-1], np.ones(min(slots.size, 1), dtype=bool)]
    return slots[keep], weight[keep]
