"""What each member is worth to the blend, and which of them are served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from recommender.algorithms.blend import Blend
from recommender.algorithms.content import Content
from recommender.algorithms.knowledge import Knowledge
from recommender.algorithms.look import Look
from recommender.algorithms.popularity import Popularity
from recommender.evaluation.blending import Rehearsal, ndcg_of, refit_blend

# Milliseconds that the members may take together for one history of a catalogue of usual size.
SERVING_MS = 3.0
# What members may take before those that add nothing are dropped: where hidden events are too easy to tell members
# apart, as in a small catalogue, several that agree stand up to histories of other kinds.
FREE_MS = 1.0
# Of the blend's nDCG: what a member must add to earn its place, and what all that are dropped for time may cost.
EARNS = 0.001
MAY_COST = 0.01
MOST_CASES = 6_000
# What answers an empty history, and what places items that came after the training: hidden events cannot tell their worth.
NEEDED = frozenset({Popularity.name, Content.name, Look.name, Knowledge.name})


Why = Literal["no_gain", "too_slow"]


@dataclass(frozen=True)
class Choice:
    """`blend` is served, its validation nDCG is `served`. `without` has that of the best blend without each member of
    the whole one, whose own is `whole`; `dropped` says of each member that is not served why."""

    blend: Blend
    whole: float
    served: float
    without: Mapping[str, float]
    dropped: Mapping[str, Why] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "whole": self.whole,
            "served": self.served,
            "without": dict(self.without),
            "dropped": dict(self.dropped),
        }


def choose_served(
    rehearsal: Rehearsal,
    blend: Blend,
    milliseconds: Mapping[str, float],
    *,
    k: int,
    budget: float = math.inf,
) -> Choice:
    """While they take more than FREE_MS together, members that add less than EARNS are dropped, the dearest first; then,
    while the rest takes more milliseconds than `budget`, the dearest whose loss keeps the whole within MAY_COST. The
    others' weights are learned again."""
    sample = rehearsal.every(max(1, -(-rehearsal.cases // MOST_CASES)))
    # What is compared has weights learned from the same cases: else the smaller blend would have the advantage.
    best = refit_blend(sample.only(counted(blend)), blend, k=k)
    whole = ndcg_of(sample, best, k)
    without = {name: _reached(_reduced(sample, best, name, k), sample, k) for name in counted(best)}
    dropped: dict[str, Why] = {name: "no_gain" for name in sample.members if not best.weights.get(name)}
    rules: tuple[tuple[Why, float, float], ...] = (
        ("no_gain", EARNS, FREE_MS),
        ("too_slow", MAY_COST, budget),
    )
    for why, share, enough in rules:
        for name in sorted(counted(best), key=lambda name: -milliseconds.get(name, 0.0)):
            taken = sum(milliseconds.get(other, 0.0) for other in counted(best))
            if len(counted(best)) < 2 or taken <= enough:
                break
            if name in NEEDED:
                continue
            smaller = _reduced(sample, best, name, k)
            if _reached(smaller, sample, k) >= (1 - share) * whole:
                best = smaller
                dropped[name] = why
    kept = [name for name in rehearsal.members if name not in dropped]
    served = blend if set(kept) == set(counted(blend)) else refit_blend(rehearsal.only(kept), best, k=k)
    for name in kept:
        if not served.weights.get(name):
            dropped[name] = "no_gain"
    return Choice(served, whole, ndcg_of(sample, served, k), without, dropped)


def counted(blend: Blend) -> list[str]:
    return [name for name, weight in blend.weights.items() if weight]


def _reduced(sample: Rehearsal, blend: Blend, name: str, k: int) -> Blend:
    """The best weights near those of `blend` for its members but one; of a blend of one it leaves nothing."""
    others = [other for other in counted(blend) if other != name]
    return refit_blend(sample.only(others), blend, k=k) if others else Blend({})


def _reached(blend: Blend, sample: Rehearsal, k: int) -> float:
    return ndcg_of(sample, blend, k) if counted(blend) else 0.0
