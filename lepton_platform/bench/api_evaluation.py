"""The platform as its own evaluation: a tenant fed, trained and asked through the API, then counted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
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
PhaseCallback = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class ApiEvaluationResult:
    """Figures over all users with at least two events, on the last event of each, full catalogue."""

    users: int
    ndcg: float
    recall: float
    stages: dict[str, int]
    model_version: str
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class HeldOutCase:
    """One user: what the platform is told, and what it must find."""

    user: str
    history: list[str]
    hidden: str


def evaluate_api(
    client: BenchClient, data: Path, items: Path | None, *, profile: str, k: int, on_progress: PhaseCallback
) -> ApiEvaluationResult:
    """Raises CallFailed and DataError. Sequences without times get increasing ones within the last 300 days."""
    dataset = read_interactions(data)
    cases = _build_cases(dataset)
    clock = _PhaseTimer(on_progress)
    clock.run_phase("items", lambda done: _send_items(client, dataset, items, done))
    clock.run_phase("events", lambda done: _send_events(client, cases, done))
    clock.run_phase("training", lambda done: _train_model(client, profile, done))
    clock.run_phase("loading", lambda _done: _wait_for_model(client, cases[0]))
    answers = clock.run_phase("asking", lambda done: _request_recommendations(client, cases, k, done))
    return _compute_result(cases, answers, clock.seconds, k)


class _PhaseTimer:
    def __init__(self, on_progress: PhaseCallback) -> None:
        self._on_progress, self.seconds = on_progress, dict[str, float]()

    def run_phase(self, phase: str, function: Callable[[Callable[[float], None]], Any]) -> Any:
        started = time.perf_counter()
        result = function(lambda fraction: self._on_progress(phase, fraction))
        self.seconds[phase] = round(time.perf_counter() - started, 1)
        self._on_progress(phase, 1.0)
        return result


def _build_cases(dataset: Dataset) -> list[HeldOutCase]:
    found = []
    for user in range(dataset.n_users):
        events = dataset.item[dataset.indptr[user] : dataset.indptr[user + 1]].tolist()
        if len(events) >= 2:
            names = [dataset.item_ids[item] for item in events]
            found.append(HeldOutCase(dataset.user_ids[user], names[:-1], names[-1]))
    return found


def _send_items(
    client: BenchClient, dataset: Dataset, path: Path | None, on_progress: Callable[[float], None]
) -> None:
    known = (
        {} if path is None else {str(row["item_id"]): row for row in read_table(path).iter_rows(named=True)}
    )
    names = list(dict.fromkeys([*dataset.item_ids, *known]))
    rows = [_build_item(name, known.get(name, {})) for name in names]
    batches = [{"items": rows[start : start + BATCH_SIZE]} for start in range(0, len(rows), BATCH_SIZE)]
    answers = client.run_in_threads(
        lambda body: client.post("items/batch", body), batches, threads=2, on_progress=on_progress
    )
    _raise_on_rejected(answers)


def _build_item(name: str, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "title": str(row.get("title") or "")[:500],
        "description": str(row.get("description") or "")[:20_000],
        "categories": [label[:200] for label in parse_category_path(row.get("categories"))][:50],
    }


def _send_events(client: BenchClient, cases: list[HeldOutCase], on_progress: Callable[[float], None]) -> None:
    """In time order over all users, as they would have come."""
    rng = np.random.default_rng(0)
    start = datetime.now(UTC) - TIME_SPAN - timedelta(days=1)
    rows = []
    for case in cases:
        phase = float(rng.random())
        for place, item in enumerate(case.history):
            at = start + TIME_SPAN * ((place + phase) / len(case.history))
            rows.append((at, {"profile_id": case.user, "item_id": item, "kind": "purchase"}))
    rows.sort(key=lambda row: row[0])
    events = [{**event, "at": at.isoformat()} for at, event in rows]
    batches = [{"events": events[first : first + BATCH_SIZE]} for first in range(0, len(events), BATCH_SIZE)]
    answers = client.run_in_threads(
        lambda body: client.post("events", body), batches, threads=2, on_progress=on_progress
    )
    _raise_on_rejected(answers)


def _raise_on_rejected(answers: list[Any]) -> None:
    for answer in answers:
        if answer["rejected"]:
            raise RuntimeError(f"The platform rejected rows: {answer['rejected'][:3]}")


def _train_model(client: BenchClient, profile: str, on_progress: Callable[[float], None]) -> None:
    job = client.post("models/train", {"profile": profile})
    while job["state"] in ("queued", "running"):
        time.sleep(2)
        job = client.get(f"jobs/{job['id']}")
        on_progress(job["percent"] / 100)
    if job["state"] != "succeeded" or job["reason"]:
        raise RuntimeError(f"The training ended as {job['state']}: {job['reason'] or 'no reason given'}")


def _wait_for_model(client: BenchClient, case: HeldOutCase) -> None:
    deadline = time.monotonic() + 120
    while client.post("recommendations", {"profile_id": case.user})["stage"] != "model":
        if time.monotonic() > deadline:
            raise RuntimeError("The web server did not load the model within two minutes.")
        time.sleep(1)


def _request_recommendations(
    client: BenchClient, cases: list[HeldOutCase], k: int, on_progress: Callable[[float], None]
) -> list[Any]:
    return client.run_in_threads(
        lambda case: client.post("recommendations", {"profile_id": case.user, "k": k}),
        cases,
        threads=4,
        on_progress=on_progress,
    )


def _compute_result(
    cases: list[HeldOutCase], answers: list[Any], seconds: dict[str, float], k: int
) -> ApiEvaluationResult:
    gain, hits, stages = 0.0, 0, dict[str, int]()
    for case, answer in zip(cases, answers, strict=True):
        stages[answer["stage"]] = stages.get(answer["stage"], 0) + 1
        ids = [item["id"] for item in answer["items"]][:k]
        if case.hidden in ids:
            hits += 1
            gain += 1 / math.log2(ids.index(case.hidden) + 2)
    return ApiEvaluationResult(
        users=len(cases),
        ndcg=gain / len(cases),
        recall=hits / len(cases),
        stages=stages,
        model_version=answers[0]["model_version"],
        seconds=seconds,
    )
