"""The three measurements. Baselines alternate with what they are compared with, on the same server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from lepton_platform.bench.load import GENERATOR, HttpCall, LoadResult, run_load
from lepton_platform.bench.platform import BenchPlatform

MessageCallback = Callable[[str], None]
BenchMetrics = dict[str, float | int | str]
BATCH_SIZE = 1_000
CONNECTIONS = 8
ROUNDS = 5
PROFILES, ITEMS, CLUSTER_SIZE = 5_000, 12_000, 60


def measure_ingest(bench: BenchPlatform, on_message: MessageCallback) -> BenchMetrics:
    """Encrypted acknowledged events a second in batches of 1,000, against plain rows by the same HTTP path."""
    rng = np.random.default_rng(0)
    send_items(bench, 2_000)
    warm_up, *rounds = [
        list(_generate_event_batches(rng, 40, items=2_000, profiles=20_000)) for _ in range(ROUNDS + 1)
    ]
    _run_pair(bench, warm_up[:8])
    on_message("measuring")
    ours, plain = zip(*[_run_pair(bench, bodies) for bodies in rounds], strict=True)
    fast, slow = _compute_rate(ours), _compute_rate(plain)
    latencies = np.concatenate([load.latencies_ms for load in ours])
    return {
        "events_per_second": round(fast * BATCH_SIZE),
        "plain_events_per_second": round(slow * BATCH_SIZE),
        "ratio_to_plain_insert": round(fast / slow, 3),
        "batch_p50_ms": round(float(np.percentile(latencies, 50)), 2),
        "batch_p99_ms": round(float(np.percentile(latencies, 99)), 2),
        "events": len(rounds) * 40 * BATCH_SIZE,
        "load_generator": GENERATOR,
    }


def _run_pair(bench: BenchPlatform, bodies: list[bytes]) -> tuple[LoadResult, LoadResult]:
    headers = bench.headers
    ours = run_load(
        bench.url, [HttpCall("POST", "/api/v1/events", b) for b in bodies], headers=headers, threads=3
    )
    plain = run_load(
        bench.url, [HttpCall("POST", "/bench/plain-events", b) for b in bodies], headers=headers, threads=3
    )
    return ours, plain


def _compute_rate(loads: tuple[LoadResult, ...]) -> float:
    return sum(load.n_calls for load in loads) / sum(load.seconds for load in loads)


def measure_recommend(bench: BenchPlatform, on_message: MessageCallback) -> BenchMetrics:
    """Requests a second for ten items, against an empty view and a view with one row-level-secured query."""
    trained_in = _train_synthetic(bench, on_message)
    rng = np.random.default_rng(1)
    bodies = [json.dumps({"profile_id": f"p{n}", "k": 10}).encode() for n in rng.integers(0, PROFILES, 6_000)]
    asked = [HttpCall("POST", "/api/v1/recommendations", body) for body in bodies]
    hello, rls = [HttpCall("GET", "/bench/hello")] * 600, [HttpCall("GET", "/bench/rls")] * 600
    _require_model(bench)
    run_load(bench.url, asked[:1_000], headers=bench.headers, threads=CONNECTIONS)
    on_message("measuring")
    loads: dict[str, list[LoadResult]] = {"ours": [], "hello": [], "rls": []}
    for start in range(1_000, 6_000, 1_000):
        mine = {"ours": asked[start : start + 1_000], "hello": hello, "rls": rls}
        for name, calls in mine.items():
            loads[name].append(run_load(bench.url, calls, headers=bench.headers, threads=CONNECTIONS))
    ours = _compute_rate(tuple(loads["ours"]))
    latencies = np.concatenate([load.latencies_ms for load in loads["ours"]])
    return {
        "requests_per_second": round(ours, 1),
        "p50_ms": round(float(np.percentile(latencies, 50)), 2),
        "p99_ms": round(float(np.percentile(latencies, 99)), 2),
        "ratio_to_hello": round(ours / _compute_rate(tuple(loads["hello"])), 3),
        "ratio_to_rls_view": round(ours / _compute_rate(tuple(loads["rls"])), 3),
        "trained_in_seconds": round(trained_in, 1),
        "items": ITEMS,
        "load_generator": f"{GENERATOR}, {CONNECTIONS} connections",
    }


def _train_synthetic(bench: BenchPlatform, on_message: MessageCallback) -> float:
    """12,000 items in groups of 60; each of 5,000 profiles walks through three groups, 20 events."""
    send_items(bench, ITEMS)
    rng = np.random.default_rng(2)
    groups = rng.integers(0, ITEMS // CLUSTER_SIZE, (PROFILES, 3))
    within = (rng.zipf(1.3, (PROFILES, 20)) - 1) % CLUSTER_SIZE
    chosen = np.take_along_axis(groups, rng.integers(0, 3, (PROFILES, 20)), 1) * CLUSTER_SIZE + within
    start = datetime.now(UTC) - timedelta(days=30)
    for first in range(0, PROFILES, BATCH_SIZE // 20):
        events = [
            _build_event(f"p{user}", f"i{item}", start + timedelta(minutes=int(user), hours=5 * step))
            for user in range(first, min(first + BATCH_SIZE // 20, PROFILES))
            for step, item in enumerate(chosen[user])
        ]
        bench.call_api("POST", "/api/v1/events", {"events": events})
    on_message("training")
    bench.start_worker()
    return _train_model(bench)


def _train_model(bench: BenchPlatform) -> float:
    started = time.monotonic()
    job = bench.call_api("POST", "/api/v1/models/train", {"profile": "fast"})
    while job["state"] in ("queued", "running"):
        time.sleep(0.5)
        job = bench.call_api("GET", f"/api/v1/jobs/{job['id']}")
    if job["state"] != "succeeded":
        raise RuntimeError(f"Training {job['state']}: {job['reason']}")
    return time.monotonic() - started


def _require_model(bench: BenchPlatform, timeout_seconds: float = 60.0) -> None:
    """Waits until the web process serves the new model, so that no fallback is measured."""
    deadline = time.monotonic() + timeout_seconds
    answer: dict[str, Any] = {}
    while time.monotonic() < deadline:
        answer = bench.call_api("POST", "/api/v1/recommendations", {"profile_id": "p1", "k": 10})
        if answer["stage"] == "model" and answer["returned"] == 10:
            return
        time.sleep(0.2)
    raise RuntimeError(
        f"The model does not serve: stage {answer.get('stage')}, {answer.get('fallback_reason')}"
    )


def measure_scan(bench: BenchPlatform, on_message: MessageCallback) -> BenchMetrics:
    """Events a second read back, verified, opened and grouped for training, of a million."""
    rng = np.random.default_rng(3)
    send_items(bench, 2_000)
    on_message("sending events")
    bodies = list(_generate_event_batches(rng, 300, items=2_000, profiles=20_000))
    run_load(
        bench.url, [HttpCall("POST", "/api/v1/events", b) for b in bodies], headers=bench.headers, threads=3
    )
    on_message("measuring")
    figures: BenchMetrics = json.loads(bench.run_module("lepton_platform.bench.scan").splitlines()[-1])
    return figures


def send_items(bench: BenchPlatform, count: int) -> None:
    for first in range(0, count, BATCH_SIZE):
        items = [_build_item(n) for n in range(first, min(first + BATCH_SIZE, count))]
        bench.call_api("POST", "/api/v1/items/batch", {"items": items})


def _build_item(number: int) -> dict[str, Any]:
    group = number // CLUSTER_SIZE
    return {
        "id": f"i{number}",
        "title": f"Model {number} of series {group}",
        "categories": [f"series-{group}"],
        "price": 5 + number % 200,
    }


def _build_event(profile: str, item: str, at: datetime, event_id: str | None = None) -> dict[str, Any]:
    event = {"profile_id": profile, "item_id": item, "kind": "view", "at": at.isoformat()}
    return event if event_id is None else {**event, "id": event_id}


def _generate_event_batches(
    rng: np.random.Generator, count: int, *, items: int, profiles: int
) -> Iterator[bytes]:
    """Nearly every event of a batch belongs to another profile: about one event a chunk, the worst case."""
    start = datetime.now(UTC) - timedelta(days=10)
    for _ in range(count):
        users, chosen = rng.integers(0, profiles, BATCH_SIZE), rng.integers(0, items, BATCH_SIZE)
        seconds, ids = rng.integers(0, 800_000, BATCH_SIZE), rng.integers(0, 2**62, BATCH_SIZE)
        events = [
            _build_event(f"p{user}", f"i{item}", start + timedelta(seconds=int(second)), f"e{one}")
            for user, item, second, one in zip(users, chosen, seconds, ids, strict=True)
        ]
        yield json.dumps({"events": events}).encode()
