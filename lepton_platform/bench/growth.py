"""How the timeline's storage grows: bytes an event, merging and autovacuum, at two sizes, and the line through them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg

from lepton_platform.bench.load import HttpCall, run_load
from lepton_platform.bench.measure import BATCH_SIZE, BenchMetrics, MessageCallback, send_items
from lepton_platform.bench.platform import REGION, BenchPlatform

EVENTS = 5_000_000
EVENTS_PER_PROFILE = 50
ITEMS = 2_000
TARGET_EVENTS = 50_000_000
_SIZES_QUERY = """
SELECT pg_relation_size('data_timeline'), pg_indexes_size('data_timeline'), pg_total_relation_size('data_timeline'),
       n_live_tup, n_dead_tup, autovacuum_count, autoanalyze_count
FROM pg_stat_user_tables WHERE relname = 'data_timeline'
"""
_SIZE_NAMES = ("heap", "indexes", "total", "live_rows", "dead_rows", "autovacuums", "autoanalyzes")


def measure_growth(
    bench: BenchPlatform, on_message: MessageCallback, *, events: int = EVENTS
) -> BenchMetrics:
    """Events of many profiles, one or two in a chunk, merged by the bench's own worker while they arrive."""
    send_items(bench, ITEMS)
    bench.start_worker()
    rng = np.random.default_rng(0)
    figures: BenchMetrics = {"events": events, "profiles": events // EVENTS_PER_PROFILE}
    for step, share in (("half", 0.5), ("full", 1.0)):
        on_message(f"sending {events // 2:,} events")
        started = time.monotonic()
        _send_events(bench, rng, events // 2, profiles=events // EVENTS_PER_PROFILE)
        figures[f"{step}_sent_in_seconds"] = round(time.monotonic() - started, 1)
        on_message("merging")
        figures[f"{step}_merged_in_seconds"] = round(_measure_merge(bench), 1)
        figures[f"{step}_idle_pass_seconds"] = round(_measure_merge(bench), 2)
        sizes = _wait_for_vacuum(bench)
        on_message(f"{step}: {sizes}")
        figures |= {f"{step}_{name}": value for name, value in sizes.items()}
        figures[f"{step}_bytes_an_event"] = round(sizes["total"] / (events * share), 1)
    return figures | _estimate_growth(figures, events)


def _estimate_growth(metrics: BenchMetrics, events: int) -> BenchMetrics:
    """The straight line through both sizes, at 50 million events."""
    half, full = float(metrics["half_total"]), float(metrics["full_total"])
    slope = (full - half) / (events / 2)
    return {
        "bytes_of_a_further_event": round(slope, 1),
        "gib_at_50_million": round((full + slope * (TARGET_EVENTS - events)) / 2**30, 2),
    }


def _send_events(
    bench: BenchPlatform, rng: np.random.Generator, count: int, *, profiles: int, chunk_size: int = 250_000
) -> None:
    """In parts, so that the bodies waiting to be sent stay few."""
    for first in range(0, count, chunk_size):
        bodies = list(_generate_bodies(rng, min(chunk_size, count - first) // BATCH_SIZE, profiles))
        calls = [HttpCall("POST", "/api/v1/events", body) for body in bodies]
        run_load(bench.url, calls, headers=bench.headers, threads=3)


def _generate_bodies(rng: np.random.Generator, count: int, profiles: int) -> Iterator[bytes]:
    start = datetime.now(UTC) - timedelta(days=60)
    for _ in range(count):
        columns = zip(
            rng.integers(0, profiles, BATCH_SIZE).tolist(),
            rng.integers(0, ITEMS, BATCH_SIZE).tolist(),
            rng.integers(0, 5_000_000, BATCH_SIZE).tolist(),
            strict=True,
        )
        events = [
            {"profile_id": f"p{who}", "item_id": f"i{item}", "kind": "view",
             "at": (start + timedelta(seconds=second)).isoformat()}
            for who, item, second in columns
        ]  # fmt: skip
        yield json.dumps({"events": events}).encode()


def _measure_merge(bench: BenchPlatform) -> float:
    """Seconds that the worker's own task takes until no profile's chunks are worth merging."""
    task = f"merge_timelines(region='{REGION}')"
    code = f"from lepton_platform.tasks.maintenance import merge_timelines; t = perf_counter(); {task}; print(perf_counter() - t)"
    return float(bench.run_code(f"from time import perf_counter; {code}").splitlines()[-1])


def _wait_for_vacuum(bench: BenchPlatform, timeout_seconds: float = 180.0) -> dict[str, int]:
    """Sizes once autovacuum has passed over the dead rows, or after three minutes."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        sizes = _query_sizes(bench)
        if sizes["dead_rows"] <= 0.05 * max(sizes["live_rows"], 1) or time.monotonic() > deadline:
            return sizes
        time.sleep(2)


def _query_sizes(bench: BenchPlatform) -> dict[str, int]:
    with psycopg.connect(
        bench.services.environment[f"DATABASE_URL_DATA_{REGION.upper()}_MIGRATE"]
    ) as connection:
        row = connection.execute(_SIZES_QUERY).fetchone()
    return dict(zip(_SIZE_NAMES, row or (), strict=True))
