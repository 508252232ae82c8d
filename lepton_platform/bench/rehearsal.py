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

from lepton_platform.bench.client import Client
from recommender.dataset import Dataset
from recommender.dataset.items import category_path
from recommender.dataset.readers import read_interactions
from recommender.dataset.tables import read_table

BATCH = 1000
SPREAD = timedelta(days=300)
Report = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Outcome:
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
class Case:
    """One user: what the platform is told, and what it must find."""

    user: str
    told: list[str]
    hidden: str


def rehearse(
    client: Client, data: Path, items: Path | None, *, profile: str, k: int, report: Report
) -> Outcome:
    """Raises CallFailed and DataError. Sequences without times get increasing ones within the last 300 days."""
    dataset = read_interactions(data)
    cases = _cases(dataset)
    clock = _Clock(report)
    clock.run("items", lambda done: _send_items(client, dataset, items, done))
    clock.run("events", lambda done: _send_events(client, cases, done))
    clock.run("training", lambda done: _train(client, profile, done))
    clock.run("loading", lambda _done: _wait_for_model(client, cases[0]))
    answers = clock.run("asking", lambda done: _ask(client, cases, k, done))
    return _counted(cases, answers, clock.seconds, k)


class _Clock:
    def __init__(self, report: Report) -> None:
        self._report, self.seconds = report, dict[str, float]()

    def run(self, phase: str, work: Callable[[Callable[[float], None]], Any]) -> Any:
        started = time.perf_counter()
        result = work(lambda fraction: self._report(phase, fraction))
        self.seconds[phase] = round(time.perf_counter() - started, 1)
        self._report(phase, 1.0)
        return result


def _cases(dataset: Dataset) -> list[Case]:
    found = []
    for user in range(dataset.users):
        events = dataset.item[dataset.indptr[user] : dataset.indptr[user + 1]].tolist()
        if len(events) >= 2:
            names = [dataset.item_ids[item] for item in events]
            found.append(Case(dataset.user_ids[user], names[:-1], names[-1]))
    return found


def _send_items(client: Client, dataset: Dataset, path: Path | None, done: Callable[[float], None]) -> None:
    known = (
        {} if path is None else {str(row["item_id"]): row for row in read_table(path).iter_rows(named=True)}
    )
    names = list(dict.fromkeys([*dataset.item_ids, *known]))
    rows = [_item(name, known.get(name, {})) for name in names]
    batches = [{"items": rows[start : start + BATCH]} for start in range(0, len(rows), BATCH)]
    answers = client.in_threads(lambda body: client.post("items/batch", body), batches, threads=2, done=done)
    _refuse_rejected(answers)


def _item(name: str, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "title": str(row.get("title") or "")[:500],
        "description": str(row.get("description") or "")[:20_000],
        "categories": [label[:200] for label in category_path(row.get("categories"))][:50],
    }


def _send_events(client: Client, cases: list[Case], done: Callable[[float], None]) -> None:
    """In time order over all users, as they would have come."""
    rng = np.random.default_rng(0)
    start = datetime.now(UTC) - SPREAD - timedelta(days=1)
    rows = []
    for case in cases:
        phase = float(rng.random())
        for place, item in enumerate(case.told):
            at = start + SPREAD * ((place + phase) / len(case.told))
            rows.append((at, {"profile_id": case.user, "item_id": item, "kind": "purchase"}))
    rows.sort(key=lambda row: row[0])
    events = [{**event, "at": at.isoformat()} for at, event in rows]
    batches = [{"events": events[first : first + BATCH]} for first in range(0, len(events), BATCH)]
    answers = client.in_threads(lambda body: client.post("events", body), batches, threads=2, done=done)
    _refuse_rejected(answers)


def _refuse_rejected(answers: list[Any]) -> None:
    for answer in answers:
        if answer["rejected"]:
            raise RuntimeError(f"The platform rejected rows: {answer['rejected'][:3]}")


def _train(client: Client, profile: str, done: Callable[[float], None]) -> None:
    job = client.post("models/train", {"profile": profile})
    while job["state"] in ("queued", "running"):
        time.sleep(2)
        job = client.get(f"jobs/{job['id']}")
        done(job["percent"] / 100)
    if job["state"] != "succeeded" or job["reason"]:
        raise RuntimeError(f"The training ended as {job['state']}: {job['reason'] or 'no reason given'}")


def _wait_for_model(client: Client, case: Case) -> None:
    deadline = time.monotonic() + 120
    while client.post("recommendations", {"profile_id": case.user})["stage"] != "model":
        if time.monotonic() > deadline:
            raise RuntimeError("The web server did not load the model within two minutes.")
        time.sleep(1)


def _ask(client: Client, cases: list[Case], k: int, done: Callable[[float], None]) -> list[Any]:
    return client.in_threads(
        lambda case: client.post("recommendations", {"profile_id": case.user, "k": k}),
        cases,
        threads=4,
        done=done,
    )


def _counted(cases: list[Case], answers: list[Any], seconds: dict[str, float], k: int) -> Outcome:
    gain, hits, stages = 0.0, 0, dict[str, int]()
    for case, answer in zip(cases, answers, strict=True):
        stages[answer["stage"]] = stages.get(answer["stage"], 0) + 1
        ids = [item["id"] for item in answer["items"]][:k]
        if case.hidden in ids:
            hits += 1
            gain += 1 / math.log2(ids.index(case.hidden) + 2)
    return Outcome(
        users=len(cases),
        ndcg=gain / len(cases),
        recall=hits / len(cases),
        stages=stages,
        model_version=answers[0]["model_version"],
        seconds=seconds,
    )
