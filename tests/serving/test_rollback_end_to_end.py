"""Automatic rollback end to end: two real models answer requests, visitors click, the worse model is rolled back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from uuid_utils.compat import uuid7

from recommender.evaluation.decisions.online_monitoring import OnlineTestConfig
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.fit_options import FitOptions
from recommender.monitoring import auto_rollback
from recommender.registry import actions, artefacts, queries
from recommender.registry.bundle import Bundle
from recommender.registry.types import TrainedModel
from recommender.serving.recommend import recommend
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.types import RecommendRequest
from recommender.tenant_data import interactions
from recommender.training.job_runner import run_training_job
from tenants.data.actions import events
from tenants.data.types import EventInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.tenants import LENGTH, PROFILES, ingest_events, request_training, walk_in_order

SHORT_WINDOW = OnlineTestConfig(attribution_window=timedelta(seconds=2))
N_REQUESTS = 2 * PROFILES


@pytest.fixture
def shop(tenant: TenantRef, actor: Actor) -> TenantRef:
    """All profiles visit the items in order, and v1 has learned it."""
    ingest_events(tenant, actor, walk_in_order)
    run_training_job(tenant, request_training(tenant, actor), owner="w1", actor=actor)
    return tenant


def visit_and_click(shop: TenantRef, actor: Actor, step: int) -> tuple[int, set[str | None]]:
    """Every profile requests recommendations and clicks on the next item of its walk if it is shown.

    Returns the number of clicks and the model versions that answered.
    """
    get_snapshot_cache().refresh_now(shop)
    clicks, versions = [], set()
    for request_number in range(N_REQUESTS):
        profile, repetition = request_number % PROFILES, request_number // PROFILES
        answer = recommend(
            shop, RecommendRequest(k=5, profile_id=f"p{profile}", scenario="home"), actor=actor
        )
        versions.add(answer.model_version)
        next_item = f"i{walk_in_order(profile, LENGTH + step + repetition)}"
        if next_item in [item.id for item in answer.items]:
            clicked_at = datetime.now(UTC)
            fields = {"item_id": next_item, "kind": "click", "profile_id": f"p{profile}", "at": clicked_at}
            clicks.append(EventInput(**fields, recommendation_id=answer.recommendation_id, scenario="home"))
        if repetition and clicks:
            record_clicks(shop, actor, clicks[-1:])
    record_clicks(shop, actor, clicks)
    return len(clicks), versions


def record_clicks(shop: TenantRef, actor: Actor, clicks: list[EventInput]) -> None:
    with scope(shop, actor=actor) as s:
        events.record_events(s, clicks)


def publish_shuffled_model(shop: TenantRef, actor: Actor) -> None:
    """Publishes a real model of the same events with shuffled items, as a wrong join of ids would give."""
    data = interactions.load_training_data(shop, actor=actor, report=lambda _done: None)
    rng = np.random.default_rng(5)
    shuffled = replace(data.dataset, item=rng.permutation(data.dataset.item))
    ensemble = fit_ensemble(
        shuffled, FitOptions(profile="fast", model_names=("popularity", "transitions")), rng=rng
    )
    artefact_id = uuid7()
    manifest = artefacts.write_artefact(shop, artefact_id, Bundle(ensemble, data.item_numbers).to_files())
    trained_model = TrainedModel(
        uuid4(),
        artefact_id,
        "fast",
        manifest,
        {"serving_mode": "model"},
        datetime.now(UTC),
        data.latest_event_at,
    )
    with scope(shop, actor=actor) as s:
        actions.publish_model(s, trained_model, expected=1)


def test_a_regression_in_production_is_rolled_back_after_fewer_clicks(
    shop: TenantRef, actor: Actor, api: Callable[..., Any]
) -> None:
    before, answering_versions = visit_and_click(shop, actor, 0)
    assert (answering_versions, before > 0.8 * N_REQUESTS) == ({"v1"}, True)
    time.sleep(0.01)
    publish_shuffled_model(shop, actor)
    after, answering_versions = visit_and_click(shop, actor, 2)
    assert (answering_versions, after < 0.5 * before) == ({"v2"}, True)
    time.sleep(2.1)
    record_clicks(shop, actor, [EventInput(item_id="i0", kind="view", profile_id="p0", at=datetime.now(UTC))])
    analysis = auto_rollback.check_active_version(shop, actor=actor, config=SHORT_WINDOW)
    assert analysis is not None
    assert analysis.degraded == ("clicks",)
    get_snapshot_cache().refresh_now(shop)
    answer = recommend(shop, RecommendRequest(k=5, profile_id="p1"), actor=actor)
    assert (answer.stage, answer.model_version) == ("model", "v1")
    model_details = api(shop).get("/api/v1/models/2").json()
    assert [reason["code"] for reason in model_details["reasons"]] == ["clicks_dropped"]
    assert model_details["reasons"][0]["text"]["zh-hans"].startswith("已自动回滚")
    with scope(shop, actor=actor) as s:
        assert queries.get_active_number(s) == 1
