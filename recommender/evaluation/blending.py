"""Learns blend weights from validation cases only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from recommender.algorithms.blend import Blend
from recommender.evaluation.metrics import gains
from recommender.types import Doubles, Floats, Ints, Longs

# Orders the items that no other member tells apart, and answers an empty history.
POPULARITY_FLOOR = 0.01
CANDIDATES = 150
NEVER = -1e9
STEPS = (2.0, 1.4, 1.15)
ROUNDS = 4


@dataclass
class Rehearsal:
    """Standardised member scores of the items that may matter: each member's best, and the target (column 0).

    An item outside every member's best cannot displace a target that a blend puts among the first ten, so the
    search over weights needs no more. Parts are float32 (cases, candidates, members); NEVER marks padding."""

    members: tuple[str, ...]
    parts: list[Floats] = field(default_factory=list)

    def add(self, scores: Mapping[str, Floats], best: Mapping[str, Ints], target: Ints) -> None:
        """By member: standardised scores, and the best CANDIDATES items of each row that are not in its history."""
        rows = np.arange(len(target))
        wanted = np.stack([scores[name][rows, target] for name in self.members], axis=1)
        chosen = np.zeros(scores[self.members[0]].shape, dtype=np.bool_)
        for name in self.members:
            row, place = np.nonzero(best[name] >= 0)
            chosen[row, best[name][row, place]] = True
        chosen[rows, target] = False
        counts = chosen.sum(axis=1)
        part = np.full((len(rows), int(counts.max(initial=0)) + 1, len(self.members)), NEVER, np.float32)
        part[:, 0] = wanted
        row, item = np.nonzero(chosen)
        column: Longs = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        for number, name in enumerate(self.members):
            part[row, column, number] = scores[name][row, item]
        self.parts.append(part)

    def ndcg(self, weights: Doubles, k: int) -> float:
        """nDCG@k of the blend with these weights, ties against the target."""
        total, cases = 0.0, 0
        for part in self.parts:
            blended = part @ weights.astype(np.float32)
            ranks = (blended[:, 1:] >= blended[:, :1]).sum(axis=1)
            total += float(gains(ranks, k).sum())
            cases += len(part)
        return total / cases if cases else 0.0


def equal_blend(members: tuple[str, ...]) -> Blend:
    """What is used where no validation case exists."""
    return Blend({name: POPULARITY_FLOOR if name == "popularity" else 1.0 for name in members})


def fit_blend(rehearsal: Rehearsal, *, k: int = 10) -> Blend:
    """Coordinate search on nDCG@k: each weight in turn is multiplied, divided or dropped while that helps.

    The metric is a step function of the weights, so there is no gradient. Popularity keeps a floor."""
    members = rehearsal.members
    weights = np.array(list(equal_blend(members).weights.values()))
    floor = np.array([POPULARITY_FLOOR if name == "popularity" else 0.0 for name in members])
    best = rehearsal.ndcg(weights, k)
    for step in STEPS:
        for _ in range(ROUNDS):
            before = best
            for number in range(len(members)):
                for factor in (step, 1 / step, 0.0):
                    trial = weights.copy()
                    trial[number] = max(trial[number] * factor, floor[number])
                    reached = rehearsal.ndcg(trial, k) if trial.any() else 0.0
                    if reached > best:
                        weights, best = trial, reached
            if best <= before:
                break
    # Scores are standardised, so only proportions matter: the greatest weight is one.
    scaled = weights / weights.max()
    return Blend({name: float(weight) for name, weight in zip(members, scaled, strict=True)})
