"""The benchmarks `ingest`, `recommend` and `scan`. Baselines alternate with the measured requests on the same server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
BATCHES_PER_ROUND = 40
PROFILES, ITEMS, CLUSTER_SIZE = 5_000, 12_000, 60
EVENTS_PER_PROFILE = 20


@dataclass(frozen=True, slots=True)
class _LoadSummary:
    """Calls a second over several loads, and percentiles of all their latencies."""

    rate: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class _IngestRound:
    """The same events sent to the API and to the plain table."""

    encrypted: LoadResult
    plain: LoadResult


def measure_ingest(bench: BenchPlatform, on_message: MessageCallback) -> BenchMetrics:
    """Acknowledged encrypted events a second in batches of 1,000, against plain rows through the same HTTP server."""
    rng = np.random.default_rng(0)
    send_items(bench, 2_000)
    rounds = []
    for _ in range(ROUNDS + 1):
        rounds.append(list(_generate_event_batches(rng, BATCHES_PER_ROUND, items=2_000, profiles=20_000)))
    # The first round warms up connections and caches; its results are dropped.
    warm_up, *rounds = rounds
    _run_ingest_round(bench, warm_up[:8])
    on_message("measuring")
    results = [_run_ingest_round(bench, bodies) for bodies in rounds]
    encrypted = _summarize_loads([result.encrypted for result in results])
    plain = _summarize_loads([result.plain for result in results])
    return {
        "events_per_second": round(encrypted.rate * BATCH_SIZE),
        "plain_events_per_second": round(plain.rate * BATCH_SIZE),
        "ratio_to_plain_insert": round(encrypted.rate / plain.rate, 3),
        "batch_p50_ms": encrypted.p50_ms,
        "batch_p99_ms": encrypted.p99_ms,
        "events": len(rounds) * BATCHES_PER_ROUND * BATCH_SIZE,
        "load_generator": GENERATOR,
    }


def _run_ingest_round(bench: BenchPlatform, bodies: list[bytes]) -> _IngestRound:
    return _IngestRound(
        encrypted=_send_bodies(bench, "/api/v1/events", bodies),
        plain=_send_bodies(bench, "/bench/plain-events", bodies),
    )


def _send_bodies(bench: BenchPlatform, path: str, bodies: Sequence[bytes]) -> LoadResult:
    calls = [HttpCall("POST", path, body) for body in bodies]
    return run_load(bench.url, calls, headers=bench.headers, threads=3)


def _summarize_loads(loads: Sequence[LoadResult]) -> _LoadSummary:
    n_calls = sum(load.n_calls for load in loads)
    seconds = sum(load.seconds for load in loads)
    latencies = np.concatenate([load.latencies_ms for load in loads])
    p50, p99 = np.percentile(latencies, [50, 99]).tolist()
    return _LoadSummary(n_calls / seconds, round(p50, 2), round(p99, 2))


def measure_recommend(bench: BenchPlatform, on_message: MessageCallback) -> BenchMetrics:
    """Requests a second for ten recommendations, against an empty view and a view with one row-level-secured query."""
    training_seconds = _train_synthetic(bench, on_message)
    requests = _build_recommend_calls(6_000)
    _require_model(bench)
    # Warm-up, not counted.
    run_load(bench.url, requests[:1_000], headers=bench.headers, threads=CONNECTIONS)
    on_message("measuring")
    loads: dict[str, list[LoadResult]] = {"recommend": [], "hello": [], "rls": []}
    hello_calls = [HttpCall("GET", "/bench/hello")] * 600
    rls_calls = [HttpCall("GET", "/bench/rls")] * 600
    for start in range(1_000, 6_000, 1_000):
        recommend_calls = requests[start : start + 1_000]
        round_calls = {"recommend": recommend_calls, "hello": hello_calls, "rls": rls_calls}
        for name, calls in round_calls.items():
            loads[name].append(run_load(bench.url, calls, headers=bench.headers, threads=CONNECTIONS))
    recommend = _summarize_loads(loads["recommend"])
    hello = _summarize_loads(loads["hello"])
    rls = _summarize_loads(loads["rls"])
    return {
        "requests_per_second": round(recommend.rate, 1),
        "p50_ms": recommend.p50_ms,
        "p99_ms": recommend.p99_ms,
        "ratio_to_hello": round(recommend.rate / hello.rate, 3),
        "ratio_to_rls_view": round(recommend.rate / rls.rate, 3),
        "trained_in_seconds": round(training_seconds, 1),
        "items": ITEMS,
        "load_generator": f"{GENERATOR}, {CONNECTIONS} connections",
    }


def _build_recommend_calls(count: int) -> list[HttpCall]:
    rng = np.random.default_rng(1)
    calls = []
    for number in rng.integers(0, PROFILES, count):
        body = json.dumps({"profile_id": f"p{number}", "k": 10}).encode()
        calls.append(HttpCall("POST", "/api/v1/recommendations", body))
    return calls


def _train_synthetic(bench: BenchPlatform, on_message: MessageCallback) -> float:
    """Sends synthetic data and trains on it; returns the training's seconds.

    12,000 items in clusters of 60. Each of 5,000 profiles has 20 events in three clusters.
    """
    send_items(bench, ITEMS)
    rng = np.random.default_rng(2)
    shape = (PROFILES, EVENTS_PER_PROFILE)
    clusters = rng.integers(0, ITEMS // CLUSTER_SIZE, (PROFILES, 3))
    # Zipf: within a cluster a few items get most of the events.
    rank_in_cluster = (rng.zipf(1.3, shape) - 1) % CLUSTER_SIZE
    cluster_of_event = np.take_along_axis(clusters, rng.integers(0, 3, shape), 1)
    item_numbers = cluster_of_event * CLUSTER_SIZE + rank_in_cluster
    start = datetime.now(UTC) - timedelta(days=30)
    profiles_per_batch = BATCH_SIZE // EVENTS_PER_PROFILE
    for offset in range(0, PROFILES, profiles_per_batch):
        events = []
        for profile in range(offset, min(offset + profiles_per_batch, PROFILES)):
            for step, item in enumerate(item_numbers[profile]):
                at = start + timedelta(minutes=int(profile), hours=5 * step)
                events.append(_build_event(f"p{profile}", f"i{item}", at))
        bench.call_api("POST", "/api/v1/events", {"events": events})
    on_message("training")
    # The worker starts after the events, so that it does not compete with the ingestion.
    bench.start_worker()
    return _train_model(bench)


def _train_model(bench: BenchPlatform) -> float:
    """Trains through the API; returns the seconds from the request to the end of the job."""
    started_at = time.monotonic()
    job = bench.call_api("POST", "/api/v1/models/train", {"profile": "fast"})
    while job["state"] in ("queued", "running"):
        time.sleep(0.5)
        job = bench.call_api("GET", f"/api/v1/jobs/{job['id']}")
    if job["state"] != "succeeded":
        raise RuntimeError(f"Training {job['state']}: {job['reason']}")
    return time.monotonic() - started_at


def _require_model(bench: BenchPlatform, timeout_seconds: float = 60.0) -> None:
    """Waits until the web process uses the new model, because a fallback would be measured instead."""
    deadline = time.monotonic() + timeout_seconds
    answer: dict[str, Any] = {}
    while time.monotonic() < deadline:
        answer = bench.call_api("POST", "/api/v1/recommendations", {"profile_id": "p1", "k": 10})
        if answer["stage"] == "model" and answer["returned"] == 10:
            return
        time.sleep(0.2)
    raise RuntimeError(f"The model is not used: stage {answer.get('stage')}, {answer.get('fallback_reason')}")


def measure_scan(bench: BenchPlatform, on_message: MessageCallback) -> BenchMetrics:
    """Events a second that a training reads, verifies, decrypts and groups by profile; of 300,000 events."""
    rng = np.random.default_rng(3)
    send_items(bench, 2_000)
    on_message("sending events")
    bodies = list(_generate_event_batches(rng, 300, items=2_000, profiles=20_000))
    _send_bodies(bench, "/api/v1/events", bodies)
    on_message("measuring")
    output = bench.run_module("lepton_platform.bench.scan")
    metrics: BenchMetrics = json.loads(output.splitlines()[-1])
    return metrics


def send_items(bench: BenchPlatform, count: int) -> None:
    """Stores items i0 to i(count - 1)."""
    for offset in range(0, count, BATCH_SIZE):
        items = [_build_item(number) for number in range(offset, min(offset + BATCH_SIZE, count))]
        bench.call_api("POST", "/api/v1/items/batch", {"items": items})


def _build_item(number: int) -> dict[str, Any]:
    cluster = number // CLUSTER_SIZE
    return {
        "id": f"i{number}",
        "title": f"Model {number} of series {cluster}",
        "categories": [f"series-{cluster}"],
        "price": 5 + number % 200,
    }


def _build_event(profile: str, item: str, at: datetime) -> dict[str, Any]:
    return {"profile_id": profile, "item_id": item, "kind": "view", "at": at.isoformat()}


def _generate_event_batches(
    rng: np.random.Generator,
    count: int,
    *,
    items: int,
    profiles: int,
) -> Iterator[bytes]:
    """JSON bodies of BATCH_SIZE events. Profiles are drawn uniformly: about one event a chunk, the worst case."""
    start = datetime.now(UTC) - timedelta(days=10)
    for _ in range(count):
        columns = zip(
            rng.integers(0, profiles, BATCH_SIZE),
            rng.integers(0, items, BATCH_SIZE),
            rng.integers(0, 800_000, BATCH_SIZE),
            rng.integers(0, 2**62, BATCH_SIZE),
            strict=True,
        )
        events = []
        for profile, item, second, event_id in columns:
            event = _build_event(f"p{profile}", f"i{item}", start + timedelta(seconds=int(second)))
            events.append({**event, "id": f"e{event_id}"})
        yield json.dumps({"events": events}).encode()
