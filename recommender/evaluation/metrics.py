"""Ranking metrics over the full catalogue with one relevant item per case, and bootstrap confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.types import Float32Array, Float64Array, Histories, Int32Array, Int64Array

# Bounds resamples x distinct values of one draw: counts are int64, so that a chunk takes at most 32 MB.
MAX_RESAMPLE_CELLS = 4_000_000


def rank_targets(scores: Float32Array, histories: Histories, target: Int32Array) -> Int64Array:
    """Rank of each case's target, from 0, shape (cases,).

    Items with the same score rank before the target: otherwise a model that gives every item the same score would be
    perfect. Items of the history are not ranked unless they are the target.

    Args:
        scores: float32 (cases, items); overwritten with -inf at items of the history.
        histories: one history for each case.
        target: item numbers (cases,).
    """
    rows = np.arange(len(target))
    target_scores = scores[rows, target].copy()
    scores[histories.row_ids(), histories.item] = -np.inf
    scores[rows, target] = target_scores
    # Counting lower scores, not higher ones, ranks a target of -inf or NaN last: no comparison with NaN is true.
    is_lower = scores < target_scores[:, None]
    n_lower = is_lower.sum(axis=1)
    n_others = scores.shape[1] - 1
    return np.asarray(n_others - n_lower, dtype=np.int64)


def recall_at_k(ranks: Int64Array, k: int) -> Float64Array:
    """recall@k of each case; with one relevant item, 1 where it is among the first k and else 0."""
    return np.asarray(ranks < k, dtype=np.float64)


def ndcg_at_k(ranks: Int64Array, k: int) -> Float64Array:
    """nDCG@k of each case: 1 / log2(rank + 2) within the first k; the ideal DCG of one relevant item is 1."""
    gains = 1 / np.log2(ranks + 2.0)
    return np.where(ranks < k, gains, 0.0)


def catalogue_coverage(recommended: Int32Array, items: int) -> float:
    """Fraction of the catalogue that occurs in the lists (cases, k); -1 is no item."""
    if not items:
        return 0.0
    distinct_items = np.unique(recommended[recommended >= 0])
    return len(distinct_items) / items


def mean_per_user(values: Float64Array, user: Int64Array | None) -> Float64Array:
    """Mean over the cases of each user; the values themselves without users or with one case per user."""
    if user is None:
        return values
    _, user_index, count = np.unique(user, return_inverse=True, return_counts=True)
    if count.max(initial=1) == 1:
        return values
    # Sum of the values of each user.
    sums = np.bincount(user_index, values)
    return np.asarray(sums / count, dtype=np.float64)


@dataclass(frozen=True)
class ConfidenceInterval:
    """A mean and its 95 % bootstrap interval over cases."""

    mean: float
    low: float
    high: float


def bootstrap_interval(
    values: Float64Array,
    rng: np.random.Generator,
    *,
    n_resamples: int = 1000,
) -> ConfidenceInterval:
    """95 % percentile bootstrap interval of the mean over cases (Efron 1979); zeros without cases."""
    if len(values) == 0:
        return ConfidenceInterval(0.0, 0.0, 0.0)
    means = bootstrap_means(values, rng, n_resamples=n_resamples)
    low, high = np.quantile(means, [0.025, 0.975])
    return ConfidenceInterval(float(values.mean()), float(low), float(high))


def bootstrap_means(
    values: Float64Array,
    rng: np.random.Generator,
    *,
    n_resamples: int,
) -> Float64Array:
    """Means of bootstrap resamples of `values`, shape (n_resamples,).

    Draws how often each distinct value occurs instead of drawing cases: metrics with one relevant item have few
    distinct values, so that a resample of any size costs little.
    """
    distinct, counts = np.unique(values, return_counts=True)
    probabilities = counts / len(values)
    chunk_size = max(1, MAX_RESAMPLE_CELLS // len(distinct))
    sums = []
    for start in range(0, n_resamples, chunk_size):
        size = min(chunk_size, n_resamples - start)
        resampled_counts = rng.multinomial(len(values), probabilities, size=size)
        sums.append(resampled_counts @ distinct)
    return np.asarray(np.concatenate(sums) / len(values), dtype=np.float64)


def is_significantly_better(
    candidate: Float64Array,
    baseline: Float64Array,
    rng: np.random.Generator,
    *,
    n_resamples: int = 1000,
) -> bool:
    """Whether the 95 % interval of the mean paired difference candidate - baseline lies above zero."""
    interval = bootstrap_interval(candidate - baseline, rng, n_resamples=n_resamples)
    return interval.low > 0
