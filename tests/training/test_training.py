"""A training ends with an active version or with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from recommender.registry import actions, artefacts, queries
from recommender.registry.bundle import Bundle
from recommender.registry.types import TrainedModel
from recommender.training import pipeline
from recommender.training.job_heartbeat import JobHeartbeat
from recommender.training.job_runner import run_training_job
from tenants.data.actions import catalog, events
from tenants.data.actions import jobs as job_actions
from tenants.data.queries import jobs
from tenants.data.types import EventInput, ItemInput, JobView
from tenants.errors import Conflict
from tenants.regions import TenantRef
from tenants.scope import Actor, data_ops, scope
from tests.training.tenants import ITEMS, LENGTH, PROFILES, ingest_events, request_training, walk_in_order


def run_training(tenant: TenantRef, actor: Actor) -> JobView:
    """Runs one training job from the request to its end."""
    job_id = request_training(tenant, actor)
    run_training_job(tenant, job_id, owner="w1", actor=actor)
    with scope(tenant, actor=actor) as s:
        return jobs.get_job(s, job_id)


def test_a_model_better_than_popularity_is_published(sequential_tenant: TenantRef, actor: Actor) -> None:
    job = run_training(sequential_tenant, actor)
    with scope(sequential_tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert (job.state, job.reason, job.percent) == ("succeeded", "", 100)
    assert job.outcome == {"version": 1, "state": "active", "active": True}
    assert active is not None
    assert active.metrics["protocol"] == "time-split"
    assert active.metrics["candidate"]["ndcg@10"] > 2 * active.metrics["popularity"]["ndcg@10"]


def test_the_published_model_is_quantized_within_the_limit(
    sequential_tenant: TenantRef, actor: Actor
) -> None:
    run_training(sequential_tenant, actor)
    with scope(sequential_tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert active is not None
    quantization = active.metrics["quantization"]
    assert quantization["ndcg@10_after"] >= quantization["ndcg@10_before"] * (1 - quantization["limit"])
    ensemble = Bundle.from_files(
        artefacts.read_artefact(sequential_tenant, active.artefact_id, active.manifest)
    ).ensemble
    stored = {name: sum(map(len, model.to_files().values())) for name, model in ensemble.models.items()}
    compressed = {name: size for name, size in stored.items() if quantization["models"][name]["compressed"]}
    assert compressed
    assert "scale" in ensemble.models["transitions"]._to_arrays()


def test_a_model_of_noise_is_refused_and_popularity_is_served(random_tenant: TenantRef, actor: Actor) -> None:
    job = run_training(random_tenant, actor)
    with scope(random_tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert job.state == "succeeded"
    assert job.reason.startswith("Not significantly better than popularity")
    assert active is not None
    assert active.metrics["serving_mode"] == "popularity"
    assert active.metrics["weights"] != {"popularity": 1.0}
    assert not any(name.startswith(("ease", "sequence", "transitions")) for name in active.manifest["files"])


def test_a_refused_model_never_replaces_a_personalised_one(random_tenant: TenantRef, actor: Actor) -> None:
    trained_model = TrainedModel(
        job_id=uuid4(),
        artefact_id=uuid4(),
        profile="fast",
        manifest={"files": {}, "bytes": 0},
        metrics={"serving_mode": "model"},
        trained_at=datetime.now(UTC),
        latest_event_at=None,
    )
    with scope(random_tenant, actor=actor) as s:
        published = actions.publish_model(s, trained_model, expected=None)
    job = run_training(random_tenant, actor)
    with scope(random_tenant, actor=actor) as s:
        assert queries.get_active_number(s) == published.version
        newest = queries.list_versions(s)[0]
    reasons = [{"code": "not_better", "parameters": dict(newest.reasons[0].parameters)}]
    assert job.outcome == {"version": 2, "state": "refused", "active": False, "reasons": reasons}
    assert (newest.has_artefact, newest.reason) == (False, job.reason)


def test_an_empty_catalogue_fails_with_a_reason(tenant: TenantRef, actor: Actor) -> None:
    job = run_training(tenant, actor)
    assert (job.state, job.reason) == ("failed", "The catalogue is empty: send items first.")


def test_items_without_events_get_a_content_model(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=f"b{n}", title=f"Blue book {n}") for n in range(5)])
    job = run_training(tenant, actor)
    with scope(tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert job.state == "succeeded"
    assert active is not None
    assert set(active.metrics["weights"]) == {"content"}


def test_items_without_texts_and_events_fail_with_a_reason(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="bare")])
    job = run_training(tenant, actor)
    assert job.state == "failed"
    assert "no events and no texts" in job.reason


def test_a_message_delivered_twice_has_one_effect(sequential_tenant: TenantRef, actor: Actor) -> None:
    job_id = request_training(sequential_tenant, actor)
    run_training_job(sequential_tenant, job_id, owner="w1", actor=actor)
    run_training_job(sequential_tenant, job_id, owner="w2", actor=actor)
    with scope(sequential_tenant, actor=actor) as s:
        assert [version.version for version in queries.list_versions(s)] == [1]
        assert jobs.get_job(s, job_id).attempt == 1


def test_a_job_cancelled_while_it_runs_ends_as_cancelled(
    sequential_tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = request_training(sequential_tenant, actor)
    load = pipeline.interactions.load_training_data

    def cancel_and_load(*args: object, **kwargs: object) -> object:
        with scope(sequential_tenant, actor=actor) as s:
            job_actions.cancel_job(s, job_id)
        return load(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline.interactions, "load_training_data", cancel_and_load)
    run_training_job(sequential_tenant, job_id, owner="w1", actor=actor)
    with scope(sequential_tenant, actor=actor) as s:
        assert jobs.get_job(s, job_id).state == "cancelled"
        assert queries.list_versions(s) == []


def test_a_worker_that_lost_its_lease_writes_nothing(
    sequential_tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = request_training(sequential_tenant, actor)
    load = pipeline.interactions.load_training_data

    def take_lease_and_load(*args: object, **kwargs: object) -> object:
        with scope(sequential_tenant, actor=actor) as s:
            s.cursor().execute(
                "UPDATE data_job SET lease_owner = 'w2' WHERE tenant_id = %s AND id = %s",
                (sequential_tenant.id, job_id),
            )
        return load(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline.interactions, "load_training_data", take_lease_and_load)
    run_training_job(sequential_tenant, job_id, owner="w1", actor=actor)
    with scope(sequential_tenant, actor=actor) as s:
        assert jobs.get_job(s, job_id).state == "running"
        assert queries.list_versions(s) == []


def test_a_job_fails_after_three_expired_leases(tenant: TenantRef, actor: Actor) -> None:
    job_id = request_training(tenant, actor)
    for owner in ("w1", "w2", "w3"):
        with scope(tenant, actor=actor) as s:
            assert job_actions.lease_job(s, job_id, owner=owner) is not None
            s.cursor().execute(
                "UPDATE data_job SET lease_until = now() - interval '1 s' WHERE id = %s", (job_id,)
            )
    with data_ops(tenant.region, "sweeper", actor=actor, reason="test") as s:
        job_actions.recover_expired_jobs(s)
    with scope(tenant, actor=actor) as s:
        job = jobs.get_job(s, job_id)
    assert job.state == "failed"
    assert "3 times" in job.reason


def test_an_exception_in_fitting_becomes_the_reason(
    sequential_tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_error(*_args: object, **_kwargs: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(pipeline, "fit_ensemble", raise_error)
    job = run_training(sequential_tenant, actor)
    assert job.state == "failed"
    assert "ZeroDivisionError" in job.reason


def test_the_lease_is_renewed_without_progress_reports(
    tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.training.job_heartbeat.HEARTBEAT_SECONDS", 0.05)
    job_id = request_training(tenant, actor)
    with scope(tenant, actor=actor) as s:
        job_actions.lease_job(s, job_id, owner="w1")
    with JobHeartbeat(tenant, job_id, owner="w1", actor=actor) as heartbeat, scope(tenant, actor=actor) as s:
        s.cursor().execute("SELECT pg_sleep(0.3)")
        heartbeat.report_progress("", 0.0)
    with scope(tenant, actor=actor) as s, pytest.raises(Conflict):
        job_actions.report_progress(s, job_id, owner="w2", phase="stolen", percent=1)


def test_a_corrupt_model_is_the_reason_of_its_job(sequential_tenant: TenantRef, actor: Actor) -> None:
    job = run_training(sequential_tenant, actor)
    with scope(sequential_tenant, actor=actor) as s:
        actions.mark_corrupt(s, 1, reason="The model file x is damaged.")
        assert jobs.get_job(s, job.id).reason == "The model file x is damaged."


def test_a_model_without_test_cases_is_not_promoted(tenant: TenantRef, actor: Actor) -> None:
    ingest_events(tenant, actor, lambda profile, _step: profile % ITEMS)
    job = run_training(tenant, actor)
    with scope(tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert job.reason.startswith("Only 0 users have test events")
    assert active is not None
    assert active.metrics["serving_mode"] == "popularity"


def test_bot_events_are_skipped_and_counted(sequential_tenant: TenantRef, actor: Actor) -> None:
    day_start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=7_000) - timedelta(days=3)
    bot_events = [
        EventInput(
            profile_id="robot", item_id=f"i{n % ITEMS}", kind="view", at=day_start + timedelta(seconds=70 * n)
        )
        for n in range(1_200)
    ]
    for start in range(0, len(bot_events), 600):
        with scope(sequential_tenant, actor=actor) as s:
            assert events.record_events(s, bot_events[start : start + 600]).rejected == []
    assert run_training(sequential_tenant, actor).state == "succeeded"
    with scope(sequential_tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert active is not None
    data = active.metrics["data"]
    assert data["cleaning"]["rules"]["bot"] == {"events": 1_200, "users": 1}
    assert data["events_skipped"] == {"bot": 1_200}
    assert (data["events"], data["profiles"]) == (PROFILES * LENGTH, PROFILES)


def test_a_retraining_is_compared_with_the_live_model_on_new_events(
    sequential_tenant: TenantRef, actor: Actor
) -> None:
    assert run_training(sequential_tenant, actor).outcome["active"]
    with scope(sequential_tenant, actor=actor) as s:
        trained_until = queries.get_version(s, 1).latest_event_at
        assert trained_until is not None
        next_events = [
            EventInput(
                profile_id=f"p{n}", item_id=f"i{walk_in_order(n, LENGTH)}", kind="view", at=trained_until + timedelta(seconds=1 + n)
            )
            for n in range(PROFILES)
        ]  # fmt: skip
        assert events.record_events(s, next_events).rejected == []
    job = run_training(sequential_tenant, actor)
    with scope(sequential_tenant, actor=actor) as s:
        second = queries.get_version(s, 2)
    assert (job.outcome["active"], second.metrics["live"]["fair"]) == (True, True)
    assert second.metrics["cases"] == PROFILES
    assert second.metrics["gate"]["against_live"]["cases"] == PROFILES
