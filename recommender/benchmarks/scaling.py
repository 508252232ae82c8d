"""What members cost in time and memory as events and items grow; each measured in a process of its own."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recommender.algorithms.common.memory_usage import measure_memory_bytes
from recommender.benchmarks.evaluation_report import get_peak_rss_mib
from recommender.dataset import Dataset, ItemContent
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.quantization import quantize_ensemble
from recommender.fitting.training_profiles import TrainingProfileName, build_model_factories
from recommender.types import ignore_progress

EVENTS_PER_USER = 9
SHELF_SIZE = 60
ENSEMBLE_NAME = "ensemble"
N_QUERIES = 200


def generate_synthetic_dataset(events: int, items: int, *, seed: int = 0) -> Dataset:
    """Made-up events: users stay on two shelves of 60 items for four events of five, and popular items are popular."""
    rng = np.random.default_rng(seed)
    users = max(events // EVENTS_PER_USER, 1)
    lengths = rng.multinomial(events, np.full(users, 1 / users))
    owner = np.repeat(np.arange(users), lengths)
    shelves = max(items // SHELF_SIZE, 1)
    mine = rng.integers(0, shelves, (users, 2))[owner, rng.integers(0, 2, events)]
    popular = _sample_zipf(rng, items, events)
    near = np.minimum(mine * SHELF_SIZE + _sample_zipf(rng, min(SHELF_SIZE, items), events), items - 1)
    item = np.where(rng.random(events) < 0.8, near, popular).astype(np.int32)
    texts = tuple(f"thing {number % 997} of shelf {number // SHELF_SIZE}" for number in range(items))
    at = rng.integers(0, 10**10, events)
    return Dataset(
        n_users=users,
        n_items=items,
        indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]).astype(np.int64),
        item=item,
        timestamp=at[np.lexsort((at, owner))],
        weight=np.ones(events, np.float32),
        content=ItemContent(texts),
    )


def _sample_zipf(rng: np.random.Generator, items: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    share = np.cumsum(1 / np.arange(1, items + 1) ** 0.8)
    return np.asarray(np.searchsorted(share, rng.random(count) * share[-1]), dtype=np.int64)


def measure_model_cost(
    name: str, *, events: int, items: int, profile: TrainingProfileName = "fast"
) -> dict[str, Any]:
    """Of one member, or of the whole ensemble with blend and compression: processor seconds to learn, peak memory of this process,
    what is served of it in bytes, and the median milliseconds for one history."""
    data = generate_synthetic_dataset(events, items)
    base = get_peak_rss_mib()
    rng = np.random.default_rng(0)
    # Processor time: whatever else the machine does, the same work costs about the same.
    started = time.process_time()
    served: Any
    if name == ENSEMBLE_NAME:
        served = quantize_ensemble(fit_ensemble(data, profile=profile, rng=rng))
    else:
        member = build_model_factories(profile, ignore_progress, [name])[name]()
        member.fit(data, rng)
        served = member
    seconds = time.process_time() - started
    peak = get_peak_rss_mib()
    if name != ENSEMBLE_NAME:
        served = served.compressed()
    asked = [data.histories.slice_row(user) for user in range(min(N_QUERIES, data.n_users))]
    taken = []
    for history in asked:
        moment = time.perf_counter()
        served.score_history(history)
        taken.append(time.perf_counter() - moment)
    return {
        "events": events,
        "items": items,
        "seconds": round(seconds, 3),
        "base_mib": round(base),
        "peak_mib": round(peak),
        "file_bytes": sum(map(len, served.to_files().values())),
        "held_bytes": served.memory_bytes if name == ENSEMBLE_NAME else measure_memory_bytes(served),
        "score_one_ms": round(float(np.median(taken)) * 1000, 3),
    }


def fit_power_law_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of log cost over log size: 1 for a cost that grows with the size, 2 for its square."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(costs, 1e-6)), 1)[0])


def fit_n_log_n_exponent(sizes: Sequence[float]) -> float:
    """The slope that n log n has over these sizes: a little above one."""
    given = np.asarray(sizes, dtype=np.float64)
    return fit_power_law_exponent(sizes, (given * np.log(given)).tolist())


def fit_scaling_exponents(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The exponents in events of one member's seconds, and of the memory it took beyond the events themselves."""
    sizes = [row["events"] for row in rows]
    return {
        "seconds_exponent": round(fit_power_law_exponent(sizes, [row["seconds"] for row in rows]), 3),
        "memory_exponent": round(fit_power_law_exponent(sizes, [row["peak_mib"] for row in rows]), 3),
        "n_log_n_exponent": round(fit_n_log_n_exponent(sizes), 3),
    }


def main() -> None:
    """Prints one measurement as JSON; its process has measured nothing else."""
    parser = argparse.ArgumentParser(prog="python -m recommender.benchmarks.scaling")
    parser.add_argument("member")
    parser.add_argument("events", type=int)
    parser.add_argument("items", type=int)
    parser.add_argument("--profile", choices=["fast", "full"], default="fast")
    given = parser.parse_args()
    print(
        json.dumps(
            measure_model_cost(
                given.tune_model, events=given.events, items=given.items, profile=given.profile
            )
        )
    )


if __name__ == "__main__":
    main()
