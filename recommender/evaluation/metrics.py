"""Ranking metrics over the full catalogue with one relevant item, and their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.types import Float32Array, Float64Array, Histories, Int32Array, Int64Array


def rank_targets(scores: Float32Array, histories: Histories, target: Int32Array) -> Int64Array:
    """Items ranked before each row's target: those scored above it and all that tie with it.

    Ties count against the target, else a model that scores everything alike looks perfect. Items of the
    history are out of the ranking unless they are the target; `scores` is overwritten there with -inf."""
    rows = np.arange(len(target))
    wanted = scores[rows, target].copy()
    scores[histories.row_ids(), histories.item] = -np.inf
    scores[rows, target] = wanted
    # A target that cannot be scored (-inf, NaN) ties with or loses to everything.
    others_below = (scores < wanted[:, None]).sum(axis=1)
    return np.asarray(scores.shape[1] - 1 - others_below, dtype=np.int64)


def recall_at_k(ranks: Int64Array, k: int) -> Float64Array:
    """recall@k of each case: with one relevant item, whether it is among the first k."""
    return np.asarray(ranks < k, dtype=np.float64)


def ndcg_at_k(ranks: Int64Array, k: int) -> Float64Array:
    """nDCG@k of each case: 1 / log2(rank + 2) within the first k (the ideal gain of one item is one)."""
    return np.where(ranks < k, 1 / np.log2(ranks + 2.0), 0.0)


def catalogue_coverage(recommended: Int32Array, items: int) -> float:
    """The share of the catalogue in at least one list; -1 stands for no item."""
    return len(np.unique(recommended[recommended >= 0])) / items if items else 0.0


def mean_per_user(values: Float64Array, user: Int64Array | None) -> Float64Array:
    """The mean of each user's cases; without users, or with one case of each, the values as they are."""
    if user is None:
        return values
    _, number, count = np.unique(user, return_inverse=True, return_counts=True)
    return values if count.max(initial=1) == 1 else np.bincount(number, values) / count


@dataclass(frozen=True)
class ConfidenceInterval:
    """A mean and its 95% bootstrap interval over cases."""

    mean: float
    low: float
    high: float


def bootstrap_interval(
    values: Float64Array, rng: np.random.Generator, *, n_resamples: int = 1000
) -> ConfidenceInterval:
    """Percentile bootstrap over cases, drawing counts instead of cases."""
    if len(values) == 0:
        return ConfidenceInterval(0.0, 0.0, 0.0)
    distinct, counts = np.unique(values, return_counts=True)
    drawn = rng.multinomial(len(values), counts / len(values), size=n_resamples)
    means = drawn @ distinct / len(values)
    low, high = np.quantile(means, [0.025, 0.975])
    return ConfidenceInterval(float(values.mean()), float(low), float(high))


def is_significantly_better(
    candidate: Float64Array, baseline: Float64Array, rng: np.random.Generator, *, n_resamples: int = 1000
) -> bool:
    """Whether the lower end of the 95% interval of the mean paired difference is above zero."""
    return bootstrap_interval(candidate - baseline, rng, n_resamples=n_resamples).low > 0
