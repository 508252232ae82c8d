"""Benchmark `growth`: storage of the timeline at two sizes (bytes an event, merging, autovacuum), extrapolated."""

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
VACUUM_TIMEOUT_SECONDS = 180.0
_SIZES_SQL = """
SELECT pg_relation_size('data_timeline'), pg_indexes_size('data_timeline'), pg_total_relation_size('data_timeline'),
       n_live_tup, n_dead_tup, autovacuum_count, autoanalyze_count
FROM pg_stat_user_tables WHERE relname = 'data_timeline'
"""
_SIZE_NAMES = ("heap", "indexes", "total", "live_rows", "dead_rows", "autovacuums", "autoanalyzes")
# Run in a process of its own, with Django set up by `BenchPlatform.run_code`.
_TIME_MERGE_CODE = f"""
from time import perf_counter
from lepton_platform.tasks.maintenance import merge_timelines
started_at = perf_counter()
merge_timelines(region='{REGION}')
print(perf_counter() - started_at)
"""


def measure_growth(
    bench: BenchPlatform, on_message: MessageCallback, *, events: int = EVENTS
) -> BenchMetrics:
    """Sends events of many profiles in two halves and measures the table after each.

    Events come one or two to a chunk; the bench's own worker merges chunks while they arrive.
    """
    send_items(bench, ITEMS)
    bench.start_worker()
    rng = np.random.default_rng(0)
    metrics: BenchMetrics = {"events": events, "profiles": events // EVENTS_PER_PROFILE}
    for step, n_sent in (("half", events * 0.5), ("full", events * 1.0)):
        on_message(f"sending {events // 2:,} events")
        started_at = time.monotonic()
        _send_events(bench, rng, events // 2, profiles=events // EVENTS_PER_PROFILE)
        metrics[f"{step}_sent_in_seconds"] = round(time.monotonic() - started_at, 1)
        on_message("merging")
        metrics[f"{step}_merged_in_seconds"] = round(_measure_merge(bench), 1)
        # A second pass finds nothing to merge: this is the cost of looking.
        metrics[f"{step}_idle_pass_seconds"] = round(_measure_merge(bench), 2)
        sizes = _wait_for_vacuum(bench)
        on_message(f"{step}: {sizes}")
        for name, value in sizes.items():
            metrics[f"{step}_{name}"] = value
        metrics[f"{step}_bytes_an_event"] = round(sizes["total"] / n_sent, 1)
    return metrics | _estimate_growth(metrics, events)


def _estimate_growth(metrics: BenchMetrics, events: int) -> BenchMetrics:
    """Extrapolates the straight line through both sizes to TARGET_EVENTS."""
    half, full = float(metrics["half_total"]), float(metrics["full_total"])
    slope = (full - half) / (events / 2)
    return {
        "bytes_of_a_further_event": round(slope, 1),
        "gib_at_50_million": round((full + slope * (TARGET_EVENTS - events)) / 2**30, 2),
    }


def _send_events(
    bench: BenchPlatform,
    rng: np.random.Generator,
    count: int,
    *,
    profiles: int,
    chunk_size: int = 250_000,
) -> None:
    """Sends `count` events; bodies are made in chunks, which bounds memory."""
    for offset in range(0, count, chunk_size):
        n_batches = min(chunk_size, count - offset) // BATCH_SIZE
        calls = []
        for body in _generate_bodies(rng, n_batches, profiles):
            calls.append(HttpCall("POST", "/api/v1/events", body))
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
        events = []
        for profile, item, second in columns:
            at = (start + timedelta(seconds=second)).isoformat()
            events.append({"profile_id": f"p{profile}", "item_id": f"i{item}", "kind": "view", "at": at})
        yield json.dumps({"events": events}).encode()


def _measure_merge(bench: BenchPlatform) -> float:
    """Seconds that the worker's merge task takes until no profile's chunks are worth merging."""
    return float(bench.run_code(_TIME_MERGE_CODE).splitlines()[-1])


def _wait_for_vacuum(bench: BenchPlatform) -> dict[str, int]:
    """Sizes after autovacuum has removed the dead rows, or after VACUUM_TIMEOUT_SECONDS."""
    deadline = time.monotonic() + VACUUM_TIMEOUT_SECONDS
    while True:
        sizes = _query_sizes(bench)
        # Autovacuum starts at a fraction of dead rows, so a few always remain.
        if sizes["dead_rows"] <= 0.05 * max(sizes["live_rows"], 1) or time.monotonic() > deadline:
            return sizes
        time.sleep(2)


def _query_sizes(bench: BenchPlatform) -> dict[str, int]:
    url = bench.services.environment[f"DATABASE_URL_DATA_{REGION.upper()}_MIGRATE"]
    with psycopg.connect(url) as connection:
        row = connection.execute(_SIZES_SQL).fetchone()
    return dict(zip(_SIZE_NAMES, row or (), strict=True))
