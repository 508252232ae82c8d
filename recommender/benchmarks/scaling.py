"""Time and memory of a training as events and items grow. Each measurement needs a process of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.memory_usage import measure_memory_bytes
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.benchmarks.evaluation_report import get_peak_rss_mib
from recommender.dataset import Dataset, ItemContent
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.fit_options import FitOptions
from recommender.fitting.quantization import quantize_ensemble
from recommender.fitting.training_profiles import TrainingProfileName, build_model_specs
from recommender.types import Int64Array, compute_indptr, ignore_progress

EVENTS_PER_USER = 9
SHELF_SIZE = 60
SHELF_EVENT_FRACTION = 0.8
ENSEMBLE_NAME = "ensemble"
N_QUERIES = 200


def generate_synthetic_dataset(
    events: int,
    items: int,
    *,
    seed: int = 0,
) -> Dataset:
    """Random events with structure: each user has two shelves of 60 items, and popularity follows a power law.

    Four events of five are of the user's shelves, the others of the whole catalogue.
    """
    rng = np.random.default_rng(seed)
    n_users = max(events // EVENTS_PER_USER, 1)
    lengths = rng.multinomial(events, np.full(n_users, 1 / n_users))
    user = np.repeat(np.arange(n_users), lengths)
    n_shelves = max(items // SHELF_SIZE, 1)
    # The shelf of each event: one of the two shelves drawn for its user.
    shelves_of_user = rng.integers(0, n_shelves, (n_users, 2))
    shelf = shelves_of_user[user, rng.integers(0, 2, events)]
    popular_item = _sample_zipf(rng, items, events)
    position_on_shelf = _sample_zipf(rng, min(SHELF_SIZE, items), events)
    shelf_item = np.minimum(shelf * SHELF_SIZE + position_on_shelf, items - 1)
    is_shelf_event = rng.random(events) < SHELF_EVENT_FRACTION
    item = np.where(is_shelf_event, shelf_item, popular_item).astype(np.int32)
    texts = tuple(f"thing {number % 997} of shelf {number // SHELF_SIZE}" for number in range(items))
    timestamp = rng.integers(0, 10**10, events)
    return Dataset(
        n_users=n_users,
        n_items=items,
        indptr=compute_indptr(lengths),
        item=item,
        # lexsort orders by its last key first: by user, then by time.
        timestamp=timestamp[np.lexsort((timestamp, user))],
        weight=np.ones(events, np.float32),
        content=ItemContent(texts),
    )


def _sample_zipf(rng: np.random.Generator, items: int, count: int) -> Int64Array:
    """Item numbers with probability proportional to (number + 1) ** -0.8, by inversion of the distribution function."""
    cumulative = np.cumsum(1 / np.arange(1, items + 1) ** 0.8)
    return np.asarray(np.searchsorted(cumulative, rng.random(count) * cumulative[-1]), dtype=np.int64)


def measure_model_cost(
    name: str,
    *,
    events: int,
    items: int,
    profile: TrainingProfileName = "fast",
) -> dict[str, Any]:
    """Fits one model, or the whole ensemble, on a synthetic data set.

    Args:
        name: name of a model, or ENSEMBLE_NAME for all models of the profile with blend and quantization.
        events: number of events.
        items: size of the catalogue.
        profile: training profile.

    Returns:
        events, items, seconds (processor time of the fit), base_mib and peak_mib (resident memory of this process
        before the fit and at its peak), file_bytes and held_bytes (quantized, in files and in memory), and
        score_one_ms (median time to score one history).

    Raises:
        DataError: no model has this name.
    """
    data = generate_synthetic_dataset(events, items)
    base_mib = get_peak_rss_mib()
    rng = np.random.default_rng(0)
    # Processor time: other work on the machine hardly changes it.
    started = time.process_time()
    quantized: Ensemble | Recommender[Any]
    if name == ENSEMBLE_NAME:
        quantized = quantize_ensemble(fit_ensemble(data, FitOptions(profile=profile), rng=rng))
        seconds, peak_mib = time.process_time() - started, get_peak_rss_mib()
        memory_bytes = quantized.memory_bytes
    else:
        model = build_model_specs(profile, ignore_progress, [name])[name].build()
        model.fit(data, rng)
        seconds, peak_mib = time.process_time() - started, get_peak_rss_mib()
        quantized = model.quantize()
        memory_bytes = measure_memory_bytes(quantized)
    return {
        "events": events,
        "items": items,
        "seconds": round(seconds, 3),
        "base_mib": round(base_mib),
        "peak_mib": round(peak_mib),
        "file_bytes": sum(map(len, quantized.to_files().values())),
        "held_bytes": memory_bytes,
        "score_one_ms": round(_measure_scoring_ms(quantized, data), 3),
    }


def _measure_scoring_ms(model: Ensemble | Recommender[Any], data: Dataset) -> float:
    """Median milliseconds to score one history."""
    seconds = []
    for user in range(min(N_QUERIES, data.n_users)):
        history = data.histories.slice_row(user)
        started = time.perf_counter()
        model.score_history(history)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds)) * 1000


def fit_power_law_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of log(cost) over log(size): 1 for linear growth, 2 for quadratic growth."""
    # Costs below the clock's resolution are zero and have no logarithm.
    positive_costs = np.maximum(costs, 1e-6)
    slope, _intercept = np.polyfit(np.log(sizes), np.log(positive_costs), 1)
    return float(slope)


def fit_n_log_n_exponent(sizes: Sequence[float]) -> float:
    """The slope of n log n over these sizes: slightly above one."""
    n = np.asarray(sizes, dtype=np.float64)
    return fit_power_law_exponent(sizes, (n * np.log(n)).tolist())


def fit_scaling_exponents(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Exponents of time and peak memory in the number of events, from measurements of one model."""
    sizes = [row["events"] for row in rows]
    seconds = [row["seconds"] for row in rows]
    peak_mib = [row["peak_mib"] for row in rows]
    return {
        "seconds_exponent": round(fit_power_law_exponent(sizes, seconds), 3),
        "memory_exponent": round(fit_power_law_exponent(sizes, peak_mib), 3),
        "n_log_n_exponent": round(fit_n_log_n_exponent(sizes), 3),
    }
