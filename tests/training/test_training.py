"""A training ends in a served version, or in a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from recommender.registry import actions, artefacts, queries
from recommender.registry.bundle import Bundle
from recommender.registry.types import TrainedModel
from recommender.training import pipeline as run_module
from recommender.training.job_heartbeat import JobHeartbeat
from recommender.training.job_runner import run_training_job
from tenants.data.actions import catalog, events
from tenants.data.actions import jobs as job_actions
from tenants.data.queries import jobs
from tenants.data.types import EventInput, ItemInput, JobView
from tenants.errors import Conflict
from tenants.regions import TenantRef
from tenants.scope import Actor, data_ops, scope
from tests.training.tenants import ITEMS, LENGTH, PROFILES, feed, in_order, order_training


def done(tenant: TenantRef, actor: Actor) -> JobView:
    """One training from request to end."""
    job_id = order_training(tenant, actor)
    run_training_job(tenant, job_id, owner="w1", actor=actor)
    with scope(tenant, actor=actor) as s:
        return jobs.get_job(s, job_id)


def test_a_model_better_than_popularity_is_published(walkers: TenantRef, actor: Actor) -> None:
    job = done(walkers, actor)
    with scope(walkers, actor=actor) as s:
        active = queries.get_active_version(s)
    assert (job.state, job.reason, job.percent) == ("succeeded", "", 100)
    assert job.outcome == {"version": 1, "state": "active", "active": True}
    assert active is not None
    assert active.metrics["protocol"] == "time-split"
    assert active.metrics["candidate"]["ndcg@10"] > 2 * active.metrics["popularity"]["ndcg@10"]


def test_the_published_model_is_quantized_within_the_limit(walkers: TenantRef, actor: Actor) -> None:
    done(walkers, actor)
    with scope(walkers, actor=actor) as s:
        active = queries.get_active_version(s)
    assert active is not None
    card = active.metrics["quantization"]
    assert card["ndcg@10_after"] >= card["ndcg@10_before"] * (1 - card["limit"])
    ensemble = Bundle.from_files(
        artefacts.read_artefact(walkers, active.artefact_id, active.manifest)
    ).ensemble
    stored = {name: sum(map(len, member.to_files().values())) for name, member in ensemble.models.items()}
    mine = {name: size for name, size in stored.items() if card["models"][name]["compressed"]}
    assert mine
    assert "step" in ensemble.models["transitions"]._to_arrays()


def test_a_model_of_noise_is_refused_and_popularity_is_served(noise: TenantRef, actor: Actor) -> None:
    job = done(noise, actor)
    with scope(noise, actor=actor) as s:
        active = queries.get_active_version(s)
    assert job.state == "succeeded"
    assert job.reason.startswith("Not significantly better than popularity")
    assert active is not None
    assert active.metrics["serving_mode"] == "popularity"
    assert active.metrics["weights"] != {"popularity": 1.0}
    assert not any(name.startswith(("ease", "sequence", "transitions")) for name in active.manifest["files"])


def test_a_refused_model_never_replaces_a_personalised_one(noise: TenantRef, actor: Actor) -> None:
    personal = TrainedModel(
        job_id=uuid4(),
        artefact_id=uuid4(),
        profile="fast",
        manifest={"files": {}, "bytes": 0},
        metrics={"serving_mode": "model"},
        trained_at=datetime.now(UTC),
        latest_event_at=None,
    )
    with scope(noise, actor=actor) as s:
        first = actions.publish_model(s, personal, expected=None)
    job = done(noise, actor)
    with scope(noise, actor=actor) as s:
        assert queries.get_active_number(s) == first.version
        newest = queries.list_versions(s)[0]
    said = [{"code": "not_better", "parameters": dict(newest.reasons[0].parameters)}]
    assert job.outcome == {"version": 2, "state": "refused", "active": False, "reasons": said}
    assert (newest.has_artefact, newest.reason) == (False, job.reason)


def test_an_empty_catalogue_fails_with_a_reason(tenant: TenantRef, actor: Actor) -> None:
    job = done(tenant, actor)
    assert (job.state, job.reason) == ("failed", "The catalogue is empty: send items first.")


def test_items_without_events_get_a_content_model(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=f"b{n}", title=f"Blue book {n}") for n in range(5)])
    job = done(tenant, actor)
    with scope(tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert job.state == "succeeded"
    assert active is not None
    assert set(active.metrics["weights"]) == {"content"}


def test_items_without_texts_and_events_fail_with_a_reason(tenant: TenantRef, actor: Actor) -> None:
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="bare")])
    job = done(tenant, actor)
    assert job.state == "failed"
    assert "no events and no texts" in job.reason


def test_a_message_delivered_twice_has_one_effect(walkers: TenantRef, actor: Actor) -> None:
    job_id = order_training(walkers, actor)
    run_training_job(walkers, job_id, owner="w1", actor=actor)
    run_training_job(walkers, job_id, owner="w2", actor=actor)
    with scope(walkers, actor=actor) as s:
        assert [version.version for version in queries.list_versions(s)] == [1]
        assert jobs.get_job(s, job_id).attempt == 1


def test_a_job_cancelled_while_it_runs_ends_as_cancelled(
    walkers: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = order_training(walkers, actor)
    load = run_module.interactions.load_training_data

    def cancelled_meanwhile(*args: object, **kwargs: object) -> object:
        with scope(walkers, actor=actor) as s:
            job_actions.cancel_job(s, job_id)
        return load(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module.interactions, "load_training_data", cancelled_meanwhile)
    run_training_job(walkers, job_id, owner="w1", actor=actor)
    with scope(walkers, actor=actor) as s:
        assert jobs.get_job(s, job_id).state == "cancelled"
        assert queries.list_versions(s) == []


def test_a_worker_that_lost_its_lease_writes_nothing(
    walkers: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = order_training(walkers, actor)
    load = run_module.interactions.load_training_data

    def taken_over(*args: object, **kwargs: object) -> object:
        with scope(walkers, actor=actor) as s:
            s.cursor().execute(
                "UPDATE data_job SET lease_owner = 'w2' WHERE tenant_id = %s AND id = %s",
                (walkers.id, job_id),
            )
        return load(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module.interactions, "load_training_data", taken_over)
    run_training_job(walkers, job_id, owner="w1", actor=actor)
    with scope(walkers, actor=actor) as s:
        assert jobs.get_job(s, job_id).state == "running"
        assert queries.list_versions(s) == []


def test_a_job_fails_after_three_expired_leases(tenant: TenantRef, actor: Actor) -> None:
    job_id = order_training(tenant, actor)
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
    walkers: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_kwargs: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(run_module, "fit_ensemble", broken)
    job = done(walkers, actor)
    assert job.state == "failed"
    assert "ZeroDivisionError" in job.reason


def test_the_lease_is_renewed_without_progress_reports(
    tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.training.job_heartbeat.HEARTBEAT_SECONDS", 0.05)
    job_id = order_training(tenant, actor)
    with scope(tenant, actor=actor) as s:
        job_actions.lease_job(s, job_id, owner="w1")
    with JobHeartbeat(tenant, job_id, owner="w1", actor=actor) as watch, scope(tenant, actor=actor) as s:
        s.cursor().execute("SELECT pg_sleep(0.3)")
        watch.report_progress("", 0.0)
    with scope(tenant, actor=actor) as s, pytest.raises(Conflict):
        job_actions.report_progress(s, job_id, owner="w2", phase="stolen", percent=1)


def test_a_corrupt_model_is_the_reason_of_its_job(walkers: TenantRef, actor: Actor) -> None:
    job = done(walkers, actor)
    with scope(walkers, actor=actor) as s:
        actions.mark_corrupt(s, 1, reason="The model file x is damaged.")
        assert jobs.get_job(s, job.id).reason == "The model file x is damaged."


def test_a_model_without_test_cases_is_not_promoted(tenant: TenantRef, actor: Actor) -> None:
    feed(tenant, actor, lambda profile, _step: profile % ITEMS)
    job = done(tenant, actor)
    with scope(tenant, actor=actor) as s:
        active = queries.get_active_version(s)
    assert job.reason.startswith("Only 0 users have test events")
    assert active is not None
    assert active.metrics["serving_mode"] == "popularity"


def test_bot_events_are_skipped_and_counted(walkers: TenantRef, actor: Actor) -> None:
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=7_000) - timedelta(days=3)
    visits = [
        EventInput(
            profile_id="robot", item_id=f"i{n % ITEMS}", kind="view", at=day + timedelta(seconds=70 * n)
        )
        for n in range(1_200)
    ]
    for first in range(0, len(visits), 600):
        with scope(walkers, actor=actor) as s:
            assert events.record_events(s, visits[first : first + 600]).rejected == []
    assert done(walkers, actor).state == "succeeded"
    with scope(walkers, actor=actor) as s:
        active = queries.get_active_version(s)
    assert active is not None
    data = active.metrics["data"]
    assert data["cleaning"]["rules"]["bot"] == {"events": 1_200, "users": 1}
    assert data["events_skipped"] == {"bot": 1_200}
    assert (data["events"], data["profiles"]) == (PROFILES * LENGTH, PROFILES)


def test_a_retraining_is_compared_with_the_live_model_on_new_events(walkers: TenantRef, actor: Actor) -> None:
    assert done(walkers, actor).outcome["active"]
    with scope(walkers, actor=actor) as s:
        until = queries.get_version(s, 1).latest_event_at
        assert until is not None
        onward = [
            EventInput(
                profile_id=f"p{n}", item_id=f"i{in_order(n, LENGTH)}", kind="view", at=until + timedelta(seconds=1 + n)
            )
            for n in range(PROFILES)
        ]  # fmt: skip
        assert events.record_events(s, onward).rejected == []
    job = done(walkers, actor)
    with scope(walkers, actor=actor) as s:
        second = queries.get_version(s, 2)
    assert (job.outcome["active"], second.metrics["live"]["fair"], second.metrics["cases"]) == (
        True,
        True,
        PROFILES,
    )
    assert second.metrics["gate"]["against_live"]["cases"] == PROFILES
