"""Asks models every case of a split, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender, top_k
from recommender.algorithms.blend import Blend, standardised
from recommender.algorithms.ensemble import Ensemble
from recommender.dataset import Split
from recommender.evaluation.blending import CANDIDATES, Rehearsal
from recommender.evaluation.metrics import bootstrap, by_user, coverage, gains, hits, rank_of_target
from recommender.types import Floats, Histories, Ints, Longs

ROWS = 1024
# Scores at once: several members' float32 tables of so many cells are held together, and their order in int64.
CELLS = 16_000_000


def rows_at_once(items: int) -> int:
    """How many cases are asked at a time: fewer in a great catalogue, so that memory does not grow with it."""
    return max(16, min(ROWS, CELLS // max(items, 1)))


@dataclass
class Tally:
    """Ranks and shown items of one model, filled part by part."""

    items: int
    k: int
    ranks: list[Longs] = field(default_factory=list)
    shown: list[Ints] = field(default_factory=list)

    def add(self, scores: Floats, histories: Histories, target: Ints, *, most: int = 0) -> Ints:
        """Best items of each row, at least `most` of them; `scores` is -inf at the history afterwards."""
        self.ranks.append(rank_of_target(scores, histories, target))
        best = top_k(scores, max(self.k, most)).items
        self.shown.append(best[:, : self.k])
        return best

    def all_ranks(self) -> Longs:
        return np.concatenate(self.ranks) if self.ranks else np.empty(0, np.int64)

    def summary(self, rng: np.random.Generator, user: Longs | None = None) -> dict[str, float | list[float]]:
        """recall@k, ndcg@k and coverage@k, with intervals as [low, high] under `..._interval`.

        With the user of each case they are means of users' means, and users are drawn for the intervals: what is asked
        of one and the same says less than as much asked of many."""
        ranks, k = self.all_ranks(), self.k
        ndcg = bootstrap(by_user(gains(ranks, k), user), rng)
        recall = bootstrap(by_user(hits(ranks, k), user), rng)
        shown = np.concatenate(self.shown) if self.shown else np.empty((0, k), np.int32)
        return {
            f"ndcg@{k}": ndcg.mean,
            f"recall@{k}": recall.mean,
            f"coverage@{k}": coverage(shown, self.items),
            f"ndcg@{k}_interval": [ndcg.low, ndcg.high],
            f"recall@{k}_interval": [recall.low, recall.high],
            "cases": len(ranks),
        }


def measure_all(
    members: Mapping[str, Recommender[Any]],
    split: Split,
    *,
    k: int,
    ensemble: Ensemble | None = None,
    rehearsal: Rehearsal | None = None,
) -> dict[str, Tally]:
    """A tally for each member, and one named "blend" for what an ensemble of them makes of their scores.

    Fills `rehearsal`, if given, on the way. Memory is bounded by ROWS cases at a time."""
    names = [*members, *(["blend"] if ensemble else [])]
    tallies = {name: Tally(split.train.items, k) for name in names}
    known = split.histories.known(split.train.items)
    for rows, part in known.split(rows_at_once(split.train.items)):
        target = split.target[rows]
        scores = {name: standardised(member.score(part)) for name, member in members.items()}
        if ensemble:
            tallies["blend"].add(ensemble.judged(scores, part), part, target)
        most = CANDIDATES if rehearsal else 0
        best = {name: tallies[name].add(scores[name], part, target, most=most) for name in members}
        if rehearsal:
            rehearsal.add(scores, best, target, part)
    return tallies


def measure(score: Callable[[Histories], Floats], split: Split, *, k: int) -> Tally:
    """The tally of whatever gives float32 (cases, items)."""
    items = split.train.items
    tally = Tally(items, k)
    for rows, part in split.histories.known(items).split(rows_at_once(items)):
        tally.add(score(part), part, split.target[rows])
    return tally


def measure_blend(
    members: Mapping[str, Recommender[Any]], blend: Blend, split: Split, *, k: int
) -> dict[str, Tally]:
    """The tally of the blend alone, named "blend"."""
    counted = {name: member for name, member in members.items() if blend.weights.get(name)}

    def score(part: Histories) -> Floats:
        return blend.combine({name: member.score(part) for name, member in counted.items()})

    return {"blend": measure(score, split, k=k)}
