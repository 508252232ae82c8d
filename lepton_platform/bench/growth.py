"""How the timeline's storage grows: bytes an event, merging and autovacuum, at two sizes, and the line through them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg

from lepton_platform.bench.load import Call, drive
from lepton_platform.bench.measure import BATCH, Figures, Say, send_items
from lepton_platform.bench.platform import REGION, Bench

EVENTS = 5_000_000
EVENTS_OF_A_PROFILE = 50
ITEMS = 2_000
AIM = 50_000_000
_SIZES = """
SELECT pg_relation_size('data_timeline'), pg_indexes_size('data_timeline'), pg_total_relation_size('data_timeline'),
       n_live_tup, n_dead_tup, autovacuum_count, autoanalyze_count
FROM pg_stat_user_tables WHERE relname = 'data_timeline'
"""
_NAMES = ("heap", "indexes", "total", "live_rows", "dead_rows", "autovacuums", "autoanalyzes")


def measure(bench: Bench, say: Say, *, events: int = EVENTS) -> Figures:
    """Events of many profiles, one or two in a chunk, merged by the bench's own worker while they arrive."""
    send_items(bench, ITEMS)
    bench.start_worker()
    rng = np.random.default_rng(0)
    figures: Figures = {"events": events, "profiles": events // EVENTS_OF_A_PROFILE}
    for step, share in (("half", 0.5), ("full", 1.0)):
        say(f"sending {events // 2:,} events")
        started = time.monotonic()
        _send(bench, rng, events // 2, profiles=events // EVENTS_OF_A_PROFILE)
        figures[f"{step}_sent_in_seconds"] = round(time.monotonic() - started, 1)
        say("merging")
        figures[f"{step}_merged_in_seconds"] = round(_merge(bench), 1)
        figures[f"{step}_idle_pass_seconds"] = round(_merge(bench), 2)
        sizes = _settled(bench)
        say(f"{step}: {sizes}")
        figures |= {f"{step}_{name}": value for name, value in sizes.items()}
        figures[f"{step}_bytes_an_event"] = round(sizes["total"] / (events * share), 1)
    return figures | _line(figures, events)


def _line(figures: Figures, events: int) -> Figures:
    """The straight line through both sizes, at 50 million events."""
    half, full = float(figures["half_total"]), float(figures["full_total"])
    slope = (full - half) / (events / 2)
    return {
        "bytes_of_a_further_event": round(slope, 1),
        "gib_at_50_million": round((full + slope * (AIM - events)) / 2**30, 2),
    }


def _send(bench: Bench, rng: np.random.Generator, count: int, *, profiles: int, part: int = 250_000) -> None:
    """In parts, so that the bodies waiting to be sent stay few."""
    for first in range(0, count, part):
        bodies = list(_bodies(rng, min(part, count - first) // BATCH, profiles))
        calls = [Call("POST", "/api/v1/events", body) for body in bodies]
        drive(bench.url, calls, headers=bench.headers, threads=3)


def _bodies(rng: np.random.Generator, count: int, profiles: int) -> Iterator[bytes]:
    start = datetime.now(UTC) - timedelta(days=60)
    for _ in range(count):
        columns = zip(
            rng.integers(0, profiles, BATCH).tolist(),
            rng.integers(0, ITEMS, BATCH).tolist(),
            rng.integers(0, 5_000_000, BATCH).tolist(),
            strict=True,
        )
        events = [
            {"profile_id": f"p{who}", "item_id": f"i{item}", "kind": "view",
             "at": (start + timedelta(seconds=second)).isoformat()}
            for who, item, second in columns
        ]  # fmt: skip
        yield json.dumps({"events": events}).encode()


def _merge(bench: Bench) -> float:
    """Seconds that the worker's own task takes until no profile's chunks are worth merging."""
    task = f"merge_timelines(region='{REGION}')"
    code = f"from lepton_platform.tasks.upkeep import merge_timelines; t = perf_counter(); {task}; print(perf_counter() - t)"
    return float(bench.python(f"from time import perf_counter; {code}").splitlines()[-1])


def _settled(bench: Bench, patience_seconds: float = 180.0) -> dict[str, int]:
    """Sizes once autovacuum has passed over the dead rows, or after three minutes."""
    deadline = time.monotonic() + patience_seconds
    while True:
        sizes = _sizes(bench)
        if sizes["dead_rows"] <= 0.05 * max(sizes["live_rows"], 1) or time.monotonic() > deadline:
            return sizes
        time.sleep(2)


def _sizes(bench: Bench) -> dict[str, int]:
    with psycopg.connect(
        bench.services.environment[f"DATABASE_URL_DATA_{REGION.upper()}_MIGRATE"]
    ) as connection:
        row = connection.execute(_SIZES).fetchone()
    return dict(zip(_NAMES, row or (), strict=True))
