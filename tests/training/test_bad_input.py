"""Every training ends, whatever the data: it fails with a reason, or it publishes a model that answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import nan
from typing import Any

import numpy as np
import pytest

from recommender.dataset import Dataset
from recommender.dataset.cleaning import Cleaner
from recommender.registry import queries
from recommender.serving.recommend import recommend
from recommender.serving.snapshot.cache import get_snapshot_cache, stop_snapshot_cache
from recommender.serving.types import RecommendRequest
from recommender.training import gate
from recommender.training.job_runner import run_training_job
from tenants.data.actions import catalog, events
from tenants.data.queries import jobs
from tenants.data.types import EventInput, ItemInput, JobView
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.proofs import Scale
from tests.training.synthetic_datasets import (
    ITEMS,
    evaluate_with_gate,
    fit_candidate,
    generate_dataset,
    list_reason_codes,
)
from tests.training.tenants import request_training

START = datetime.now(UTC) - timedelta(days=20)


def build_event(profile: int, item: int, step: int, **fields: Any) -> EventInput:
    timestamp = fields.pop("at", START + timedelta(hours=3 * step, seconds=37 * profile))
    return EventInput(profile_id=f"p{profile}", item_id=f"i{item}", kind="view", at=timestamp, **fields)


def build_items(count: int, **fields: Any) -> list[ItemInput]:
    return [ItemInput(id=f"i{n}", title=f"Thing {n}", **fields) for n in range(count)]


def build_events(
    choose_item: Callable[[int, int], int], *, n_profiles: int = 60, n_steps: int = 6, **fields: Any
) -> list[EventInput]:
    return [
        build_event(profile, choose_item(profile, step), step, **fields)
        for step in range(n_steps)
        for profile in range(n_profiles)
    ]


CASES: dict[str, tuple[list[ItemInput], list[EventInput]]] = {
    "empty": ([], []),
    "items only": (build_items(5), []),
    "constant": (build_items(5), build_events(lambda _p, _s: 3)),
    "one user": (build_items(30), build_events(lambda _p, step: step, n_profiles=1, n_steps=30)),
    "one item": (build_items(1), build_events(lambda _p, _s: 0)),
    "one event": (build_items(5), [build_event(0, 0, 0)]),
    "two users, two items": (build_items(2), build_events(lambda p, step: (p + step) % 2, n_profiles=2)),
    "all at one moment": (build_items(30), build_events(lambda p, step: (p + step) % 30, at=START)),
    "everybody alike": (build_items(12), build_events(lambda _p, step: step)),
    "duplicates": (build_items(30), 3 * build_events(lambda p, step: (p * 7 + step) % 30)),
    "no numbers": (build_items(30, price=nan), build_events(lambda p, step: (p * 7 + step) % 30, value=nan, price=nan, quantity=nan)),
    "a long profile": (build_items(40), [
        *build_events(lambda p, step: (p * 7 + step) % 40),
        *(build_event(999, n % 40, 0, at=START + timedelta(seconds=70 * n)) for n in range(6_000)),
    ]),
    "an item with 10,000 tags": (
        [*build_items(29), ItemInput(id="i29", title="Tagged", tags=[f"tag {n}" for n in range(10_000)])],
        build_events(lambda p, step: (p * 7 + step) % 30),
    ),
    "titles that say nothing": ([ItemInput(id=f"i{n}", title="\u0000" if n % 2 else "  ") for n in range(30)],
                                build_events(lambda p, step: (p * 7 + step) % 30)),
}  # fmt: skip


@pytest.fixture(autouse=True)
def stop_snapshot_loading() -> Iterator[None]:
    yield
    stop_snapshot_cache()


def store_rows(tenant: TenantRef, actor: Actor, items: list[ItemInput], rows: list[EventInput]) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, items)
    for start in range(0, len(rows), 1_000):
        with scope(tenant, actor=actor) as s:
            events.record_events(s, rows[start : start + 1_000])


def run_training(tenant: TenantRef, actor: Actor) -> JobView:
    job_id = request_training(tenant, actor)
    run_training_job(tenant, job_id, owner="w1", actor=actor)
    with scope(tenant, actor=actor) as s:
        return jobs.get_job(s, job_id)


@pytest.mark.parametrize("name", CASES)
def test_training_fails_with_a_reason_or_publishes_a_usable_model(
    tenant: TenantRef, actor: Actor, name: str
) -> None:
    items, rows = CASES[name]
    store_rows(tenant, actor, items, rows)
    job = run_training(tenant, actor)
    assert job.state in ("succeeded", "failed")
    assert "unexpected" not in job.reason
    if job.state == "failed":
        assert job.reason.endswith(".")
        return
    with scope(tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert active is not None
    get_snapshot_cache().refresh_now(tenant)
    for profile_id in ("p0", "nobody"):
        answer = recommend(tenant, RecommendRequest(k=5, profile_id=profile_id), actor=actor)
        assert np.isfinite([item.score for item in answer.items]).all()
        assert answer.returned == len(answer.items) == min(5, answer.returned)


def test_future_events_are_refused_and_the_others_are_learned(tenant: TenantRef, actor: Actor) -> None:
    rows = build_events(lambda p, step: (p * 7 + step) % 30)
    future_events = [build_event(p, 0, 0, at=datetime.now(UTC) + timedelta(days=400)) for p in range(60)]
    store_rows(tenant, actor, build_items(30), rows)
    with scope(tenant, actor=actor) as s:
        refused = events.record_events(s, future_events).rejected
    assert {rejection.code for rejection in refused} == {"in_the_future"}
    job = run_training(tenant, actor)
    with scope(tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert job.state == "succeeded"
    assert active is not None
    assert active.latest_event_at is not None
    assert active.latest_event_at < datetime.now(UTC)
    assert active.metrics["data"]["events"] == len(rows)


def test_an_item_with_10_000_tags_is_refused_and_the_others_are_stored(
    tenant: TenantRef, actor: Actor
) -> None:
    items, _rows = CASES["an item with 10,000 tags"]
    with scope(tenant, actor=actor) as s:
        result = catalog.upsert_items(s, items)
    assert result.created == 29
    assert [(rejection.row, rejection.code) for rejection in result.rejected] == [(29, "invalid")]
    assert "tags" in result.rejected[0].detail


def test_an_item_with_10_000_tags_is_refused_by_the_api(api: Callable[..., Any], tenant: TenantRef) -> None:
    item = {"id": "tagged", "title": "Tagged", "tags": [f"tag {n}" for n in range(10_000)]}
    answer = api(tenant).post("/api/v1/items", item)
    assert answer.status_code in (400, 413, 422)
    assert answer.json()["code"]
    assert "tags" in answer.content.decode()


@pytest.mark.proof(row=33)
def test_a_profile_of_a_million_events_does_not_stop_a_training(
    scale: Scale, figure: Callable[..., bool]
) -> None:
    """Once over forty days, which cleaning keeps, and once in one day, which it removes as a bot."""
    count = scale(40_000, 1_000_000)
    dataset, rng = generate_dataset(1), np.random.default_rng(1)
    for days in (40, 1):
        timestamps = np.sort(rng.integers(0, days * 86_400_000, count))
        data = append_profile(dataset, rng.integers(0, ITEMS, count).astype(np.int32), timestamps)
        clean, _report = Cleaner().clean(data, now=datetime.now(UTC))
        held_out = gate.hold_out(clean)
        split = held_out.split
        assert held_out.protocol == "time-split"
        result = evaluate_with_gate(fit_candidate(split), split)
        assert set(list_reason_codes(result)) <= {"not_better", "gain_too_small", "slice_worse"}
        assert np.isfinite(result.metrics.candidate["ndcg@10"])
    assert figure("events of one profile trained with", count, passes=True)


def append_profile(data: Dataset, items: np.ndarray, timestamps: np.ndarray) -> Dataset:
    """The data set with one more profile at its end."""
    return replace(
        data,
        n_users=data.n_users + 1,
        indptr=np.r_[data.indptr, data.n_events + items.size],
        item=np.r_[data.item, items],
        timestamp=np.r_[data.timestamp, timestamps],
        weight=np.ones(data.n_events + items.size, np.float32),
    )


@pytest.mark.parametrize("bad_weight", [nan, np.inf, -np.inf, 0.0, -1.0])
def test_unusable_weights_are_removed_and_counted(bad_weight: float) -> None:
    data = generate_dataset(2)
    weight = data.weight.copy()
    weight[::10] = bad_weight
    clean, report = Cleaner().clean(replace(data, weight=weight), now=datetime.now(UTC))
    assert report.count_removed_events()["unusable weight"] == len(weight[::10])
    split = gate.hold_out(clean).split
    assert np.isfinite(evaluate_with_gate(fit_candidate(split), split).metrics.candidate["ndcg@10"])
