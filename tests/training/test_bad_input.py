"""Whatever stands in the timeline and the catalogue, a training ends: with a sentence, or with a model that answers."""

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
from tests.training.tenants import order_training
from tests.training.synthetic_datasets import ITEMS, codes, fitted, judged, street

START = datetime.now(UTC) - timedelta(days=20)
Rows = list[tuple[int, int]]


def event(profile: int, item: int, step: int, **given: Any) -> EventInput:
    at = given.pop("at", START + timedelta(hours=3 * step, seconds=37 * profile))
    return EventInput(profile_id=f"p{profile}", item_id=f"i{item}", kind="view", at=at, **given)


def things(count: int, **given: Any) -> list[ItemInput]:
    return [ItemInput(id=f"i{n}", title=f"Thing {n}", **given) for n in range(count)]


def everybody(
    item_of: Callable[[int, int], int], *, people: int = 60, steps: int = 6, **given: Any
) -> list[EventInput]:
    return [event(p, item_of(p, step), step, **given) for step in range(steps) for p in range(people)]


CASES: dict[str, tuple[list[ItemInput], list[EventInput]]] = {
    "empty": ([], []),
    "items only": (things(5), []),
    "constant": (things(5), everybody(lambda _p, _s: 3)),
    "one user": (things(30), everybody(lambda _p, step: step, people=1, steps=30)),
    "one item": (things(1), everybody(lambda _p, _s: 0)),
    "one event": (things(5), [event(0, 0, 0)]),
    "two users, two items": (things(2), everybody(lambda p, step: (p + step) % 2, people=2)),
    "all at one moment": (things(30), everybody(lambda p, step: (p + step) % 30, at=START)),
    "everybody alike": (things(12), everybody(lambda _p, step: step)),
    "duplicates": (things(30), [*(row for _ in range(3) for row in everybody(lambda p, step: (p * 7 + step) % 30))]),
    "no numbers": (things(30, price=nan), everybody(lambda p, step: (p * 7 + step) % 30, value=nan, price=nan, quantity=nan)),
    "a long profile": (things(40), [
        *everybody(lambda p, step: (p * 7 + step) % 40),
        *(event(999, n % 40, 0, at=START + timedelta(seconds=70 * n)) for n in range(6_000)),
    ]),
    "an item with 10,000 tags": (
        [*things(29), ItemInput(id="i29", title="Tagged", tags=[f"tag {n}" for n in range(10_000)])],
        everybody(lambda p, step: (p * 7 + step) % 30),
    ),
    "titles that say nothing": ([ItemInput(id=f"i{n}", title="\u0000" if n % 2 else "  ") for n in range(30)],
                                everybody(lambda p, step: (p * 7 + step) % 30)),
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_in_memory() -> Iterator[None]:
    yield
    stop_snapshot_cache()


def fill(tenant: TenantRef, actor: Actor, items: list[ItemInput], rows: list[EventInput]) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, items)
    for first in range(0, len(rows), 1_000):
        with scope(tenant, actor=actor) as s:
            events.record_events(s, rows[first : first + 1_000])


def trained(tenant: TenantRef, actor: Actor) -> JobView:
    job_id = order_training(tenant, actor)
    run_training_job(tenant, job_id, owner="w1", actor=actor)
    with scope(tenant, actor=actor) as s:
        return jobs.get_job(s, job_id)


@pytest.mark.parametrize("name", CASES)
def test_training_fails_with_a_reason_or_publishes_a_usable_model(
    tenant: TenantRef, actor: Actor, name: str
) -> None:
    items, rows = CASES[name]
    fill(tenant, actor, items, rows)
    job = trained(tenant, actor)
    assert job.state in ("succeeded", "failed")
    assert "unexpected" not in job.reason
    if job.state == "failed":
        assert job.reason.endswith(".")
        return
    with scope(tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert active is not None
    get_snapshot_cache().refresh_now(tenant)
    for who in ("p0", "nobody"):
        answer = recommend(tenant, RecommendRequest(k=5, profile_id=who), actor=actor)
        assert np.isfinite([item.score for item in answer.items]).all()
        assert answer.returned == len(answer.items) == min(5, answer.returned)


def test_future_events_are_refused_and_the_others_are_learned(tenant: TenantRef, actor: Actor) -> None:
    rows = everybody(lambda p, step: (p * 7 + step) % 30)
    late = [event(p, 0, 0, at=datetime.now(UTC) + timedelta(days=400)) for p in range(60)]
    fill(tenant, actor, things(30), rows)
    with scope(tenant, actor=actor) as s:
        refused = events.record_events(s, late).rejected
    assert {one.code for one in refused} == {"in_the_future"}
    job = trained(tenant, actor)
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
    assert (result.created, [(one.row, one.code) for one in result.rejected]) == (29, [(29, "invalid")])
    assert "tags" in result.rejected[0].detail


def test_an_item_with_10_000_tags_is_refused_by_the_api(api: Callable[..., Any], tenant: TenantRef) -> None:
    given = {"id": "tagged", "title": "Tagged", "tags": [f"tag {n}" for n in range(10_000)]}
    answer = api(tenant).post("/api/v1/items", given)
    assert answer.status_code in (400, 413, 422)
    assert answer.json()["code"]
    assert "tags" in answer.content.decode()


@pytest.mark.proof(row=33)
def test_a_profile_of_a_million_events_does_not_stop_a_training(
    scale: Scale, figure: Callable[..., bool]
) -> None:
    """Once as a person over forty days, who stays, and once as a robot of one day, who goes."""
    count = scale(40_000, 1_000_000)
    whole, rng = street(1), np.random.default_rng(1)
    for days in (40, 1):
        at = np.sort(rng.integers(0, days * 86_400_000, count))
        data = with_profile(whole, rng.integers(0, ITEMS, count).astype(np.int32), at)
        clean, _report = Cleaner().clean(data, now=datetime.now(UTC))
        held_out = gate.hold_out(clean)
        split = held_out.split
        assert held_out.protocol == "time-split"
        verdict = judged(fitted(split), split)
        assert set(codes(verdict)) <= {"not_better", "gain_too_small", "slice_worse"}
        assert np.isfinite(verdict.metrics.candidate["ndcg@10"])
    assert figure("events of one profile trained with", count, passes=True)


def with_profile(data: Dataset, item: np.ndarray, at: np.ndarray) -> Dataset:
    """One more profile, the last."""
    return replace(
        data,
        n_users=data.n_users + 1,
        indptr=np.r_[data.indptr, data.n_events + item.size],
        item=np.r_[data.item, item],
        timestamp=np.r_[data.timestamp, at],
        weight=np.ones(data.n_events + item.size, np.float32),
    )


@pytest.mark.parametrize("wrong", [nan, np.inf, -np.inf, 0.0, -1.0])
def test_unusable_weights_are_removed_and_counted(wrong: float) -> None:
    data = street(2)
    weight = data.weight.copy()
    weight[::10] = wrong
    clean, report = Cleaner().clean(replace(data, weight=weight), now=datetime.now(UTC))
    assert report.count_removed_events()["unusable weight"] == len(weight[::10])
    split = gate.hold_out(clean).split
    assert np.isfinite(judged(fitted(split), split).metrics.candidate["ndcg@10"])
