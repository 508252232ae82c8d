"""Learns blend weights from validation cases only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import optimize, special

from recommender.algorithms.blend import Blend
from recommender.algorithms.ranker import situation
from recommender.evaluation.metrics import gains
from recommender.types import Bools, Doubles, Floats, Histories, Ints, Longs

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
    search over weights needs no more. Parts are float32 (members, cases, candidates); NEVER marks padding. situations (cases, columns)
    are what the second stage knows of each history; `again` marks targets that were in theirs."""

    members: tuple[str, ...]
    parts: list[Floats] = field(default_factory=list)
    situations: list[Floats] = field(default_factory=list)
    again: list[Bools] = field(default_factory=list)

    def add(
        self, scores: Mapping[str, Floats], best: Mapping[str, Ints], target: Ints, histories: Histories
    ) -> None:
        """By member: standardised scores, and the best CANDIDATES items of each row that are not in its history."""
        rows = np.arange(len(target))
        chosen = np.zeros(scores[self.members[0]].shape, dtype=np.bool_)
        for name in self.members:
            row, place = np.nonzero(best[name] >= 0)
            chosen[row, best[name][row, place]] = True
        chosen[rows, target] = False
        counts = chosen.sum(axis=1)
        part = np.full((len(self.members), len(rows), int(counts.max(initial=0)) + 1), NEVER, np.float32)
        row, item = np.nonzero(chosen)
        column: Longs = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        for number, name in enumerate(self.members):
            part[number, :, 0] = scores[name][rows, target]
            part[number, row, column] = scores[name][row, item]
        self.parts.append(part)
        self.situations.append(situation(scores, histories))
        again = np.zeros(len(rows), dtype=np.bool_)
        owners = histories.owners()
        again[owners[histories.item == target[owners]]] = True
        self.again.append(again)

    def blended(self, weights: Doubles) -> list[Floats]:
        """float32 (cases, candidates) of each part."""
        return [np.tensordot(weights.astype(np.float32), part, axes=1) for part in self.parts]

    def ndcg(self, weights: Doubles, k: int) -> float:
        """nDCG@k of the blend with these weights, ties against the target."""
        return mean_gain(self.blended(weights), k)

    def only(self, members: Sequence[str]) -> Rehearsal:
        """The same cases and candidates as these members see them."""
        rows = [self.members.index(name) for name in members]
        return Rehearsal(tuple(members), [part[rows] for part in self.parts], self.situations, self.again)

    def every(self, step: int) -> Rehearsal:
        """Each `step`-th case of each part."""
        parts = [part[:, ::step] for part in self.parts]
        return Rehearsal(
            self.members,
            parts,
            [about[::step] for about in self.situations],
            [again[::step] for again in self.again],
        )

    @property
    def cases(self) -> int:
        return sum(part.shape[1] for part in self.parts)


def mean_gain(blended: Sequence[Floats], k: int) -> float:
    """nDCG@k where column 0 is the target's score, ties against it."""
    total = sum(float(gains((part[:, 1:] >= part[:, :1]).sum(axis=1), k).sum()) for part in blended)
    cases = sum(map(len, blended))
    return total / cases if cases else 0.0


def equal_blend(members: tuple[str, ...]) -> Blend:
    """What is used where no validation case exists."""
    return Blend({name: POPULARITY_FLOOR if name == "popularity" else 1.0 for name in members})


def fit_blend(rehearsal: Rehearsal, *, k: int = 10) -> Blend:
    """Weights with the best nDCG@k on the rehearsal, each at least zero; popularity keeps a floor.

    The metric is a step function of the weights with many hills, so a coordinate search climbs from two places: equal
    weights, and those of a conditional logit, which is convex. The better of the two is taken."""
    starts = (np.array(list(equal_blend(rehearsal.members).weights.values())), _logit(rehearsal))
    weights, _ = max((_climb(rehearsal, start, k) for start in starts), key=lambda found: found[1])
    return _named(rehearsal, weights)


def ndcg_of(rehearsal: Rehearsal, blend: Blend, k: int) -> float:
    """nDCG@k of a blend on the rehearsal."""
    return rehearsal.ndcg(np.array([blend.weights.get(name, 0.0) for name in rehearsal.members]), k)


def refit_blend(rehearsal: Rehearsal, blend: Blend, *, k: int) -> Blend:
    """The best weights near those of `blend`, for the members of `rehearsal` alone."""
    start = np.array([blend.weights.get(name, 0.0) for name in rehearsal.members])
    weights, _ = _climb(rehearsal, start if start.any() else np.ones(len(start)), k)
    return _named(rehearsal, weights)


def _named(rehearsal: Rehearsal, weights: Doubles) -> Blend:
    # Scores are standardised, so only proportions matter: the greatest weight is one.
    scaled = weights / weights.max()
    return Blend({name: float(weight) for name, weight in zip(rehearsal.members, scaled, strict=True)})


def _climb(rehearsal: Rehearsal, start: Doubles, k: int) -> tuple[Doubles, float]:
    """Each weight in turn is multiplied, divided, dropped or, once dropped, tried again, while that helps."""
    floor = np.array([POPULARITY_FLOOR if name == "popularity" else 0.0 for name in rehearsal.members])
    weights = np.maximum(start, floor)
    blended = rehearsal.blended(weights)
    best = mean_gain(blended, k)
    for step in STEPS:
        for _ in range(ROUNDS):
            before = best
            for number in range(len(weights)):
                for value in _trials(weights[number], step, weights.max()):
                    trial = weights.copy()
                    trial[number] = max(value, floor[number])
                    if not trial.any():
                        continue
                    # Only one weight differs, so only its member is read again.
                    change = np.float32(trial[number] - weights[number])
                    moved = [
                        total + change * part[number]
                        for total, part in zip(blended, rehearsal.parts, strict=True)
                    ]
                    if (reached := mean_gain(moved, k)) > best:
                        weights, blended, best = trial, moved, reached
            if best <= before:
                break
    return weights, best


def _trials(weight: float, step: float, greatest: float) -> tuple[float, ...]:
    if weight > 0:
        return weight * step, weight / step, 0.0
    return 0.1 * greatest, 0.3 * greatest


def _logit(rehearsal: Rehearsal, *, most_cases: int = 3_000) -> Doubles:
    """Weights that make the targets likeliest among their candidates: a conditional logit (McFadden 1974)."""
    sample = rehearsal.every(max(1, -(-rehearsal.cases // most_cases)))
    parts = [part for part in sample.parts if part.size]
    cases = sample.cases

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        total, slope = 0.0, np.zeros(len(weights))
        for part in parts:
            scores = np.tensordot(weights.astype(np.float32), part, axes=1)
            scores[part[0] <= NEVER] = -np.inf
            likelihood = special.log_softmax(scores, axis=1)
            total -= float(likelihood[:, 0].sum())
            # Padding has no share, and NEVER times nothing is nothing.
            slope += np.tensordot(part, np.exp(likelihood), axes=2) - part[:, :, 0].sum(axis=1)
        return total / max(cases, 1), slope / max(cases, 1)

    members = len(rehearsal.members)
    found = optimize.minimize(
        loss, np.full(members, 0.5), jac=True, method="L-BFGS-B", bounds=[(0, None)] * members,
        options={"maxiter": 60},
    )  # fmt: skip
    return np.asarray(found.x, dtype=np.float64)
