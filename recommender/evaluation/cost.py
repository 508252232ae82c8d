"""What members cost in time and memory as events and items grow; each measured in a process of its own."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recommender.algorithms.memory import held_bytes
from recommender.dataset import Dataset, ItemContent
from recommender.evaluation.compression import compressed
from recommender.evaluation.fit import fit_ensemble
from recommender.evaluation.profiles import Profile, new_members
from recommender.evaluation.report import peak_rss_mib
from recommender.types import silent

EVENTS_OF_A_USER = 9
SHELF = 60
WHOLE = "ensemble"
ASKED = 200


def shop(events: int, items: int, *, seed: int = 0) -> Dataset:
    """Made-up events: users stay on two shelves of 60 items for four events of five, and popular items are popular."""
    rng = np.random.default_rng(seed)
    users = max(events // EVENTS_OF_A_USER, 1)
    lengths = rng.multinomial(events, np.full(users, 1 / users))
    owner = np.repeat(np.arange(users), lengths)
    shelves = max(items // SHELF, 1)
    mine = rng.integers(0, shelves, (users, 2))[owner, rng.integers(0, 2, events)]
    popular = _zipf(rng, items, events)
    near = np.minimum(mine * SHELF + _zipf(rng, min(SHELF, items), events), items - 1)
    item = np.where(rng.random(events) < 0.8, near, popular).astype(np.int32)
    texts = tuple(f"thing {number % 997} of shelf {number // SHELF}" for number in range(items))
    at = rng.integers(0, 10**10, events)
    return Dataset(
        users=users,
        items=items,
        indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]).astype(np.int64),
        item=item,
        at=at[np.lexsort((at, owner))],
        weight=np.ones(events, np.float32),
        content=ItemContent(texts),
    )


def _zipf(rng: np.random.Generator, items: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    share = np.cumsum(1 / np.arange(1, items + 1) ** 0.8)
    return np.asarray(np.searchsorted(share, rng.random(count) * share[-1]), dtype=np.int64)


def measure(name: str, *, events: int, items: int, profile: Profile = "fast") -> dict[str, Any]:
    """Of one member, or of the whole ensemble with blend and compression: processor seconds to learn, peak memory of this process,
    what is served of it in bytes, and the median milliseconds for one history."""
    data = shop(events, items)
    base = peak_rss_mib()
    rng = np.random.default_rng(0)
    # Processor time: whatever else the machine does, the same work costs about the same.
    started = time.process_time()
    served: Any
    if name == WHOLE:
        served = compressed(fit_ensemble(data, profile=profile, rng=rng))
    else:
        member = new_members(profile, silent, [name])[name]()
        member.fit(data, rng)
        served = member
    seconds = time.process_time() - started
    peak = peak_rss_mib()
    if name != WHOLE:
        served = served.compressed()
    asked = [data.histories.row(user) for user in range(min(ASKED, data.users))]
    taken = []
    for history in asked:
        moment = time.perf_counter()
        served.score_one(history)
        taken.append(time.perf_counter() - moment)
    return {
        "events": events,
        "items": items,
        "seconds": round(seconds, 3),
        "base_mib": round(base),
        "peak_mib": round(peak),
        "file_bytes": sum(map(len, served.to_files().values())),
        "held_bytes": served.held_bytes if name == WHOLE else held_bytes(served),
        "score_one_ms": round(float(np.median(taken)) * 1000, 3),
    }


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of log cost over log size: 1 for a cost that grows with the size, 2 for its square."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(costs, 1e-6)), 1)[0])


def n_log_n(sizes: Sequence[float]) -> float:
    """The slope that n log n has over these sizes: a little above one."""
    given = np.asarray(sizes, dtype=np.float64)
    return exponent(sizes, (given * np.log(given)).tolist())


def verdict(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The exponents in events of one member's seconds, and of the memory it took beyond the events themselves."""
    sizes = [row["events"] for row in rows]
    return {
        "seconds_exponent": round(exponent(sizes, [row["seconds"] for row in rows]), 3),
        "memory_exponent": round(exponent(sizes, [row["peak_mib"] for row in rows]), 3),
        "n_log_n_exponent": round(n_log_n(sizes), 3),
    }


def main() -> None:
    """Prints one measurement as JSON; its process has measured nothing else."""
    parser = argparse.ArgumentParser(prog="python -m recommender.evaluation.cost")
    parser.add_argument("member")
    parser.add_argument("events", type=int)
    parser.add_argument("items", type=int)
    parser.add_argument("--profile", choices=["fast", "full"], default="fast")
    given = parser.parse_args()
    print(json.dumps(measure(given.member, events=given.events, items=given.items, profile=given.profile)))


if __name__ == "__main__":
    main()
