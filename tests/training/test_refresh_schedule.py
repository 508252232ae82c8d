"""Periodic tasks: refreshes are requested when enough events are new, and messages reach their queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from lepton_platform.celery import app
from lepton_platform.tasks import maintenance, schedule, training
from recommender.registry import actions
from recommender.registry.types import TrainedModel
from recommender.training.refresh_schedule import request_if_due
from tenants.data.actions import jobs as job_actions
from tenants.data.queries import counters, jobs
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.tenants import LENGTH, PROFILES, request_training


def publish_version(tenant: TenantRef, actor: Actor, *, n_events: int, age: timedelta) -> None:
    trained_model = TrainedModel(
        job_id=uuid4(),
        artefact_id=uuid4(),
        profile="full",
        manifest={"files": {}, "bytes": 0},
        metrics={"data": {"events_stored": n_events}},
        trained_at=datetime.now(UTC) - age,
        latest_event_at=None,
    )
    with scope(tenant, actor=actor) as s:
        actions.publish_model(s, trained_model, expected=None)


def test_a_tenant_with_events_and_no_model_is_due(sequential_tenant: TenantRef, actor: Actor) -> None:
    job = request_if_due(sequential_tenant, actor=actor)
    assert job is not None
    assert job.parameters == {"profile": "fast", "scheduled": True}


def test_a_tenant_without_events_is_not_due(tenant: TenantRef, actor: Actor) -> None:
    assert request_if_due(tenant, actor=actor) is None


@pytest.mark.parametrize(
    ("n_events", "age", "due"),
    [
        (PROFILES * LENGTH - 250, timedelta(hours=2), True),
        (PROFILES * LENGTH - 150, timedelta(hours=2), False),
        (0, timedelta(minutes=10), False),
    ],
)
def test_a_refresh_is_due_after_an_hour_with_enough_new_events(
    sequential_tenant: TenantRef, actor: Actor, *, n_events: int, age: timedelta, due: bool
) -> None:
    publish_version(sequential_tenant, actor, n_events=n_events, age=age)
    with scope(sequential_tenant, actor=actor) as s:
        s.cursor().execute(
            "UPDATE data_tenantstate SET last_event_at = now() WHERE tenant_id = %s", (sequential_tenant.id,)
        )
    assert (request_if_due(sequential_tenant, actor=actor) is not None) is due


def test_a_requested_training_reaches_the_queue_of_its_region_once(
    tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, dict[str, Any], str]] = []
    monkeypatch.setattr(app, "send_task", lambda name, *, kwargs, queue: sent.append((name, kwargs, queue)))
    job_id = request_training(tenant, actor)
    maintenance.publish_outbox(region=tenant.region)
    maintenance.publish_outbox(region=tenant.region)
    own_messages = [message for message in sent if message[1]["tenant_id"] == str(tenant.id)]
    expected = {"tenant_id": str(tenant.id), "job_id": str(job_id), "region": tenant.region}
    assert own_messages == [("lepton.train", expected, f"region_{tenant.region}")]


def test_a_message_stays_in_the_outbox_while_the_broker_is_unavailable(
    tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_connection(*_args: object, **_kwargs: object) -> None:
        raise ConnectionError

    request_training(tenant, actor)
    monkeypatch.setattr(app, "send_task", refuse_connection)
    with pytest.raises(ConnectionError):
        maintenance.publish_outbox(region=tenant.region)
    sent: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda _name, *, kwargs, **_: sent.append(kwargs["tenant_id"]))
    maintenance.publish_outbox(region=tenant.region)
    assert str(tenant.id) in sent


def test_the_task_runs_the_job_it_names(tenant: TenantRef, actor: Actor) -> None:
    job_id = request_training(tenant, actor)
    training.train_model(tenant_id=str(tenant.id), job_id=str(job_id), region=tenant.region)
    with scope(tenant, actor=actor) as s:
        assert jobs.get_job(s, job_id).reason == "The catalogue is empty: send items first."


def test_a_job_with_an_expired_lease_is_queued_again(
    tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    job_id = request_training(tenant, actor)
    monkeypatch.setattr(app, "send_task", lambda _name, *, kwargs, **_: sent.append(kwargs["job_id"]))
    maintenance.publish_outbox(region=tenant.region)
    with scope(tenant, actor=actor) as s:
        job_actions.lease_job(s, job_id, owner="dead")
        s.cursor().execute(
            "UPDATE data_job SET lease_until = now() - interval '1 s' WHERE id = %s", (job_id,)
        )
    maintenance.retry_expired_jobs(region=tenant.region)
    maintenance.publish_outbox(region=tenant.region)
    assert sent.count(str(job_id)) == 2


def test_maintenance_is_idempotent(sequential_tenant: TenantRef, actor: Actor) -> None:
    def count_events() -> int:
        today = datetime.now(UTC).date()
        with scope(sequential_tenant, actor=actor) as s:
            return sum(row.count for row in counters.list_daily_counts(s, today - timedelta(days=40), today))

    before = count_events()
    for _ in range(2):
        maintenance.fold_counters(region=sequential_tenant.region)
        maintenance.merge_timelines(region=sequential_tenant.region)
        maintenance.remove_expired_data(region=sequential_tenant.region)
    assert count_events() == before == PROFILES * LENGTH


def test_every_scheduled_task_exists_and_names_a_served_queue() -> None:
    app.loader.import_default_modules()
    for entry in schedule.build_schedule_entries().values():
        assert entry["task"] in app.tasks
        assert entry["options"]["queue"] == f"region_{entry['kwargs']['region']}"
