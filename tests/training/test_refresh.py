"""Between full trainings the model in service learns what is new, and is judged like any other."""

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


def trained(tenant: TenantRef, actor: Actor, **parameters: Any) -> JobView:
    with scope(tenant, actor=actor) as s:
        job_id = job_actions.request_job(s, "train", parameters={"profile": "fast", **parameters}).id
    run_training_job(tenant, job_id, owner="w1", actor=actor)
    with scope(tenant, actor=actor) as s:
        return jobs.get_job(s, job_id)


def newest(tenant: TenantRef, actor: Actor) -> VersionView:
    with scope(tenant, actor=actor) as s:
        return queries.list_versions(s)[0]


def go_on(tenant: TenantRef, actor: Actor, *, steps: int = 4) -> None:
    """Everybody walks on along the shelf, which is ten items longer now."""
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
def served(walkers: TenantRef, actor: Actor) -> TenantRef:
    assert trained(walkers, actor).state == "succeeded"
    return walkers


def test_a_refresh_continues_from_the_live_model_and_is_promoted(served: TenantRef, actor: Actor) -> None:
    first = newest(served, actor)
    go_on(served, actor)
    assert trained(served, actor, refresh=True).state == "succeeded"
    second = newest(served, actor)
    assert (second.version, second.state) == (2, "active")
    assert second.metrics["refreshed_from"] == 1
    assert second.metrics["weights"] == first.metrics["weights"]
    assert second.metrics["candidate"]["ndcg@10"] > 2 * second.metrics["popularity"]["ndcg@10"]
    assert second.metrics["live"]["fair"] is True
    assert second.metrics["data"]["items"] == ITEMS + 10
    assert second.parsed_metrics.full == refresh_schedule.get_last_full_training(first)


def test_a_refresh_is_evaluated_on_events_neither_model_has_seen(
    served: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = newest(served, actor).latest_event_at
    go_on(served, actor)
    seen: list[Any] = []
    judge = gate.evaluate_candidate

    def watched(ensemble: Any, split: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append((split.train, ensemble.models["popularity"]._counts.sum()))
        return judge(ensemble, split, *args, **kwargs)

    monkeypatch.setattr(model_refresh.gate, "evaluate_candidate", watched)
    trained(served, actor, refresh=True)
    (train, counted), *others = seen
    assert others == []
    assert until is not None
    assert (train.timestamp > until.timestamp() * 1000).sum() == pytest.approx(
        PROFILES * 2, abs=PROFILES // 2
    )
    assert counted == pytest.approx(train.weight.sum(), rel=1e-4)


def test_without_new_events_a_refresh_is_a_full_training(served: TenantRef, actor: Actor) -> None:
    trained(served, actor, refresh=True)
    assert "refreshed_from" not in newest(served, actor).metrics


def test_without_a_model_a_refresh_is_a_full_training(walkers: TenantRef, actor: Actor) -> None:
    trained(walkers, actor, refresh=True)
    version = newest(walkers, actor)
    assert version.is_active
    assert "refreshed_from" not in version.metrics


def test_a_failed_warm_start_is_a_full_training(
    served: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on(served, actor)
    monkeypatch.setattr(
        "recommender.algorithms.sequential.trainer.SequentialTrainer.warm_start", lambda *_: False
    )
    assert trained(served, actor, refresh=True).state == "succeeded"
    assert "refreshed_from" not in newest(served, actor).metrics


def parameters_when_due(tenant: TenantRef, actor: Actor, **metrics: Any) -> dict[str, Any]:
    """What beat would order had the newest version been trained two hours ago, with these metrics."""
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


def test_beat_requests_a_refresh_between_full_trainings(served: TenantRef, actor: Actor) -> None:
    go_on(served, actor, steps=3)
    expected = {"profile": "fast", "scheduled": True, "refresh": True}
    assert parameters_when_due(served, actor) == expected


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
    served: TenantRef, actor: Actor, metrics: dict[str, Any]
) -> None:
    go_on(served, actor)
    assert parameters_when_due(served, actor, **metrics) == {"profile": "fast", "scheduled": True}
