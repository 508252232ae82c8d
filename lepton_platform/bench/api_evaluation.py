"""End-to-end evaluation: a tenant is filled, trained and queried through the API; metrics as in `evaluate`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from lepton_platform.bench.client import BenchClient
from recommender.dataset import Dataset
from recommender.dataset.interaction_files import read_interactions
from recommender.dataset.item_files import parse_category_path
from recommender.dataset.table_files import read_table

BATCH_SIZE = 1000
TIME_SPAN = timedelta(days=300)
MODEL_TIMEOUT_SECONDS = 120
PhaseCallback = Callable[[str, float], None]
FractionCallback = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class ApiEvaluationResult:
    """Metrics over all users with at least two events; the target is each user's last event, the catalogue is full.

    `stages` counts responses by serving stage, `seconds` are by phase.
    """

    users: int
    ndcg: float
    recall: float
    stages: dict[str, int]
    model_version: str
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """All fields, for the JSON report."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class HeldOutCase:
    """One user: events that are sent (in order) and the item to be recommended."""

    user: str
    history: list[str]
    target: str


@dataclass(frozen=True, slots=True)
class _TimedEvent:
    at: datetime
    event: dict[str, Any]


def evaluate_api(
    client: BenchClient,
    data: Path,
    items: Path | None,
    *,
    profile: str,
    k: int,
    on_progress: PhaseCallback,
) -> ApiEvaluationResult:
    """Runs the phases items, events, training, loading and asking, then computes the metrics.

    Args:
        client: a client of an empty tenant.
        data: interactions, as for `evaluate`. Events get increasing times within the last 300 days.
        items: descriptions of the items, or None.
        profile: training profile, fast or full.
        k: length of the recommendation lists.
        on_progress: receives phase and fraction.

    Raises:
        CallFailed: the API refuses a request.
        DataError: a file can't be read.
        RuntimeError: rows are rejected or the training fails.
    """
    dataset = read_interactions(data)
    cases = _build_cases(dataset)
    timer = _PhaseTimer(on_progress)
    timer.run_phase("items", lambda report: _send_items(client, dataset, items, report))
    timer.run_phase("events", lambda report: _send_events(client, cases, report))
    timer.run_phase("training", lambda report: _train_model(client, profile, report))
    timer.run_phase("loading", lambda _report: _wait_for_model(client, cases[0]))
    responses = timer.run_phase("asking", lambda report: _request_recommendations(client, cases, k, report))
    return _compute_result(cases, responses, timer.seconds, k)


class _PhaseTimer:
    """Runs phases one after the other and stores the seconds of each."""

    def __init__(self, on_progress: PhaseCallback) -> None:
        self._on_progress = on_progress
        self.seconds: dict[str, float] = {}

    def run_phase(self, phase: str, function: Callable[[FractionCallback], Any]) -> Any:
        started_at = time.perf_counter()
        result = function(lambda fraction: self._on_progress(phase, fraction))
        self.seconds[phase] = round(time.perf_counter() - started_at, 1)
        self._on_progress(phase, 1.0)
        return result


def _build_cases(dataset: Dataset) -> list[HeldOutCase]:
    cases = []
    for user in range(dataset.n_users):
        # CSR: the events of user u are dataset.item[indptr[u]:indptr[u + 1]], in time order.
        start, stop = dataset.indptr[user], dataset.indptr[user + 1]
        item_ids = [dataset.item_ids[item] for item in dataset.item[start:stop].tolist()]
        if len(item_ids) >= 2:
            cases.append(HeldOutCase(dataset.user_ids[user], item_ids[:-1], item_ids[-1]))
    return cases


def _send_items(
    client: BenchClient,
    dataset: Dataset,
    path: Path | None,
    on_progress: FractionCallback,
) -> None:
    descriptions: dict[str, dict[str, Any]] = {}
    if path is not None:
        for row in read_table(path).iter_rows(named=True):
            descriptions[str(row["item_id"])] = row
    # dict.fromkeys removes duplicates and keeps the order.
    item_ids = dict.fromkeys([*dataset.item_ids, *descriptions])
    items = [_build_item(item_id, descriptions.get(item_id, {})) for item_id in item_ids]
    _send_in_batches(client, "items/batch", "items", items, on_progress)


def _build_item(item_id: str, row: dict[str, Any]) -> dict[str, Any]:
    """An item within the API's limits of length."""
    title = str(row.get("title") or "")
    description = str(row.get("description") or "")
    categories = parse_category_path(row.get("categories"))
    return {
        "id": item_id,
        "title": title[:500],
        "description": description[:20_000],
        "categories": [label[:200] for label in categories[:50]],
    }


def _send_events(client: BenchClient, cases: list[HeldOutCase], on_progress: FractionCallback) -> None:
    """Sends the histories in time order over all users, as a live client would."""
    rng = np.random.default_rng(0)
    # One day before now, so that no event is in the future of the server's clock.
    start = datetime.now(UTC) - timedelta(days=1) - TIME_SPAN
    timed_events = []
    for case in cases:
        # A random phase keeps users with equally long histories from having the same times.
        phase = float(rng.random())
        for position, item in enumerate(case.history):
            elapsed = TIME_SPAN * ((position + phase) / len(case.history))
            at = start + elapsed
            event = {"profile_id": case.user, "item_id": item, "kind": "purchase", "at": at.isoformat()}
            timed_events.append(_TimedEvent(at, event))
    timed_events.sort(key=lambda timed: timed.at)
    events = [timed.event for timed in timed_events]
    _send_in_batches(client, "events", "events", events, on_progress)


def _send_in_batches(
    client: BenchClient,
    path: str,
    field: str,
    rows: Sequence[Any],
    on_progress: FractionCallback,
) -> None:
    """Posts the rows in bodies `{field: [...]}`. Raises RuntimeError if any row is rejected."""
    bodies = []
    for start in range(0, len(rows), BATCH_SIZE):
        batch = rows[start : start + BATCH_SIZE]
        bodies.append({field: batch})
    receipts = client.run_in_threads(
        lambda body: client.post(path, body),
        bodies,
        threads=2,
        on_progress=on_progress,
    )
    for receipt in receipts:
        if receipt["rejected"]:
            raise RuntimeError(f"The platform rejected rows: {receipt['rejected'][:3]}")


def _train_model(client: BenchClient, profile: str, on_progress: FractionCallback) -> None:
    job = client.post("models/train", {"profile": profile})
    while job["state"] in ("queued", "running"):
        time.sleep(2)
        job = client.get(f"jobs/{job['id']}")
        on_progress(job["percent"] / 100)
    # A job that succeeds with a reason has trained a model that the promotion gate refused.
    if job["state"] != "succeeded" or job["reason"]:
        reason = job["reason"] or "no reason given"
        raise RuntimeError(f"The training ended as {job['state']}: {reason}")


def _wait_for_model(client: BenchClient, case: HeldOutCase) -> None:
    deadline = time.monotonic() + MODEL_TIMEOUT_SECONDS
    while client.post("recommendations", {"profile_id": case.user})["stage"] != "model":
        if time.monotonic() > deadline:
            raise RuntimeError("The web server did not load the model within two minutes.")
        time.sleep(1)


def _request_recommendations(
    client: BenchClient,
    cases: list[HeldOutCase],
    k: int,
    on_progress: FractionCallback,
) -> list[Any]:
    return client.run_in_threads(
        lambda case: client.post("recommendations", {"profile_id": case.user, "k": k}),
        cases,
        threads=4,
        on_progress=on_progress,
    )


def _compute_result(
    cases: list[HeldOutCase],
    responses: list[Any],
    seconds: dict[str, float],
    k: int,
) -> ApiEvaluationResult:
    dcg, n_hits = 0.0, 0
    stages: dict[str, int] = {}
    for case, response in zip(cases, responses, strict=True):
        stage = response["stage"]
        stages[stage] = stages.get(stage, 0) + 1
        item_ids = [item["id"] for item in response["items"][:k]]
        if case.target in item_ids:
            n_hits += 1
            rank = item_ids.index(case.target)
            # One relevant item: the ideal DCG is 1, and rank r (from 0) contributes 1 / log2(r + 2).
            dcg += 1 / math.log2(rank + 2)
    return ApiEvaluationResult(
        users=len(cases),
        ndcg=dcg / len(cases),
        recall=n_hits / len(cases),
        stages=stages,
        model_version=responses[0]["model_version"],
        seconds=seconds,
    )
