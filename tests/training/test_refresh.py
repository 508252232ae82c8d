"""Between full trainings the active model continues its training on new events and passes the same gate."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recommender.registry import queries
from recommender.registry.types import VersionView
from recommender.training import gate, refresh_schedule
from recommender.training import refresh as model_refresh
from recommender.training.job_runner import run_training_job
from recommender.training.refresh_schedule import request_if_due
from tenants.data.actions import catalog, events
from tenants.data.actions import jobs as job_actions
from tenants.data.queries import jobs
from tenants.data.types import EventInput, ItemInput, JobView
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.tenants import ITEMS, PROFILES


def run_training(tenant: TenantRef, actor: Actor, **parameters: Any) -> JobView:
    with scope(tenant, actor=actor) as s:
        job_id = job_actions.request_job(s, "train", parameters={"profile": "fast", **parameters}).id
    run_training_job(tenant, job_id, owner="w1", actor=actor)
    with scope(tenant, actor=actor) as s:
        return jobs.get_job(s, job_id)


def get_newest_version(tenant: TenantRef, actor: Actor) -> VersionView:
    with scope(tenant, actor=actor) as s:
        return queries.list_versions(s)[0]


def continue_walk(tenant: TenantRef, actor: Actor, *, steps: int = 4) -> None:
    """All profiles continue their walk over a catalogue that has ten more items."""
    start = datetime.now(UTC) - timedelta(days=20)
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id=f"i{n}", title=f"Thing {n}") for n in range(ITEMS, ITEMS + 10)])
    rows = [
        EventInput(
            item_id=f"i{(profile * 7 + 8 + step) % (ITEMS + 10)}",
            kind="view",
            profile_id=f"p{profile}",
            at=start + timedelta(hours=6 * step, minutes=profile),
        )
        for profile in range(PROFILES)
        for step in range(steps)
    ]
    with scope(tenant, actor=actor) as s:
        assert events.record_events(s, rows).rejected == []


@pytest.fixture
def trained_tenant(sequential_tenant: TenantRef, actor: Actor) -> TenantRef:
    assert run_training(sequential_tenant, actor).state == "succeeded"
    return sequential_tenant


def test_a_refresh_continues_from_the_live_model_and_is_promoted(
    trained_tenant: TenantRef, actor: Actor
) -> None:
    version_1 = get_newest_version(trained_tenant, actor)
    continue_walk(trained_tenant, actor)
    assert run_training(trained_tenant, actor, refresh=True).state == "succeeded"
    version_2 = get_newest_version(trained_tenant, actor)
    assert (version_2.version, version_2.state) == (2, "active")
    assert version_2.metrics["refreshed_from"] == 1
    assert version_2.metrics["weights"] == version_1.metrics["weights"]
    assert version_2.metrics["candidate"]["ndcg@10"] > 2 * version_2.metrics["popularity"]["ndcg@10"]
    assert version_2.metrics["live"]["fair"] is True
    assert version_2.metrics["data"]["items"] == ITEMS + 10
    assert version_2.parsed_metrics.full == refresh_schedule.get_last_full_training(version_1)


def test_a_refresh_is_evaluated_on_events_neither_model_has_seen(
    trained_tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_until = get_newest_version(trained_tenant, actor).latest_event_at
    continue_walk(trained_tenant, actor)
    seen: list[Any] = []
    evaluate_candidate = gate.evaluate_candidate

    def record_and_evaluate(ensemble: Any, split: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append((split.train, ensemble.models["popularity"]._counts.sum()))
        return evaluate_candidate(ensemble, split, *args, **kwargs)

    monkeypatch.setattr(model_refresh.gate, "evaluate_candidate", record_and_evaluate)
    run_training(trained_tenant, actor, refresh=True)
    (train, n_counted), *further_calls = seen
    assert further_calls == []
    assert trained_until is not None
    assert (train.timestamp > trained_until.timestamp() * 1000).sum() == pytest.approx(
        PROFILES * 2, abs=PROFILES // 2
    )
    assert n_counted == pytest.approx(train.weight.sum(), rel=1e-4)


def test_without_new_events_a_refresh_is_a_full_training(trained_tenant: TenantRef, actor: Actor) -> None:
    run_training(trained_tenant, actor, refresh=True)
    assert "refreshed_from" not in get_newest_version(trained_tenant, actor).metrics


def test_without_a_model_a_refresh_is_a_full_training(sequential_tenant: TenantRef, actor: Actor) -> None:
    run_training(sequential_tenant, actor, refresh=True)
    version = get_newest_version(sequential_tenant, actor)
    assert version.is_active
    assert "refreshed_from" not in version.metrics


def test_a_failed_warm_start_is_a_full_training(
    trained_tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    continue_walk(trained_tenant, actor)
    monkeypatch.setattr(
        "recommender.algorithms.sequential.trainer.SequentialTrainer.warm_start", lambda *_: False
    )
    assert run_training(trained_tenant, actor, refresh=True).state == "succeeded"
    assert "refreshed_from" not in get_newest_version(trained_tenant, actor).metrics


def request_due_parameters(tenant: TenantRef, actor: Actor, **metrics: Any) -> dict[str, Any]:
    """The parameters of the job that beat requests if the newest version is two hours old and has these metrics."""
    with scope(tenant, actor=actor) as s:
        s.cursor().execute(
            """UPDATE recommender_modelversion SET trained_at = now() - interval '2 h',
               metrics = metrics || %s::jsonb WHERE tenant_id = %s""",
            (json.dumps(metrics), tenant.id),
        )
        s.cursor().execute(
            "UPDATE data_tenantstate SET last_event_at = now() WHERE tenant_id = %s", (tenant.id,)
        )
    job = request_if_due(tenant, actor=actor)
    assert job is not None
    return dict(job.parameters)


def test_beat_requests_a_refresh_between_full_trainings(trained_tenant: TenantRef, actor: Actor) -> None:
    continue_walk(trained_tenant, actor, steps=3)
    expected = {"profile": "fast", "scheduled": True, "refresh": True}
    assert request_due_parameters(trained_tenant, actor) == expected


@pytest.mark.parametrize(
    "metrics",
    [
        {"full": {"at": (datetime.now(UTC) - timedelta(days=8)).isoformat(), "events_stored": 1700}},
        {"full": {"at": datetime.now(UTC).isoformat(), "events_stored": 1000}},
        {"serving_mode": "popularity"},
    ],
    ids=["a week ago", "half as many events", "popularity"],
)
def test_a_full_training_is_due_after_a_week_or_half_as_many_events(
    trained_tenant: TenantRef, actor: Actor, metrics: dict[str, Any]
) -> None:
    continue_walk(trained_tenant, actor)
    assert request_due_parameters(trained_tenant, actor, **metrics) == {"profile": "fast", "scheduled": True}
