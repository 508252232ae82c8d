"""Ranking metrics over the full catalogue with one relevant item, and their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.types import Doubles, Floats, Histories, Ints, Longs


def rank_of_target(scores: Floats, histories: Histories, target: Ints) -> Longs:
    """Items ranked before each row's target: those scored above it and all that tie with it.

    Ties count against the target, else a model that scores everything alike looks perfect. Items of the
    history are out of the ranking unless they are the target; `scores` is overwritten there with -inf."""
    rows = np.arange(len(target))
    wanted = scores[rows, target].copy()
    scores[histories.owners(), histories.item] = -np.inf
    scores[rows, target] = wanted
    # A target that cannot be scored (-inf, NaN) ties with or loses to everything.
    others_below = (scores < wanted[:, None]).sum(axis=1)
    return np.asarray(scores.shape[1] - 1 - others_below, dtype=np.int64)


def hits(ranks: Longs, k: int) -> Doubles:
    """recall@k of each case: with one relevant item, whether it is among the first k."""
    return np.asarray(ranks < k, dtype=np.float64)


def gains(ranks: Longs, k: int) -> Doubles:
    """nDCG@k of each case: 1 / log2(rank + 2) within the first k (the ideal gain of one item is one)."""
    return np.where(ranks < k, 1 / np.log2(ranks + 2.0), 0.0)


def coverage(shown: Ints, items: int) -> float:
    """The share of the catalogue in at least one list; -1 stands for no item."""
    return len(np.unique(shown[shown >= 0])) / items if items else 0.0


def by_user(values: Doubles, user: Longs | None) -> Doubles:
    """The mean of each user's cases; without users, or with one case of each, the values as they are."""
    if user is None:
        return values
    _, number, count = np.unique(user, return_inverse=True, return_counts=True)
    return values if count.max(initial=1) == 1 else np.bincount(number, values) / count


@dataclass(frozen=True)
class Interval:
    """A mean and its 95% bootstrap interval over cases."""

    mean: float
    low: float
    high: float


def bootstrap(values: Doubles, rng: np.random.Generator, *, draws: int = 1000) -> Interval:
    """Percentile bootstrap over cases, drawing counts instead of cases."""
    if len(values) == 0:
        return Interval(0.0, 0.0, 0.0)
    distinct, counts = np.unique(values, return_counts=True)
    drawn = rng.multinomial(len(values), counts / len(values), size=draws)
    means = drawn @ distinct / len(values)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def beats(ours: Doubles, theirs: Doubles, rng: np.random.Generator, *, draws: int = 1000) -> bool:
    """Whether the lower end of the 95% interval of the mean paired difference is above zero."""
    return bootstrap(ours - theirs, rng, draws=draws).low > 0
