"""A training that tunes hyperparameters first, and the trainings that reuse them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from lepton_platform.tasks.tuning_limits import limit_tuning_parameters
from recommender.registry import queries
from recommender.training import pipeline
from recommender.training.job_runner import run_training_job
from tenants.control.plans import PLANS
from tenants.data.actions import jobs as job_actions
from tenants.data.queries import jobs
from tenants.data.types import JobView
from tenants.regions import TenantRef
from tenants.scope import Actor, scope
from tests.training.tenants import ingest_events, walk_in_order

QUICK = {"profile": "fast", "tune_seconds": 20.0, "tune_trials": 2}


def run_training(tenant: TenantRef, actor: Actor, **parameters: Any) -> JobView:
    with scope(tenant, actor=actor) as s:
        job_id = job_actions.request_job(s, "train", parameters=parameters).id
    run_training_job(tenant, job_id, owner="w1", actor=actor)
    with scope(tenant, actor=actor) as s:
        return jobs.get_job(s, job_id)


def test_the_tuning_report_is_stored_and_tuned_settings_are_reused(
    sequential_tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_training(sequential_tenant, actor, **QUICK).state == "succeeded"
    with scope(sequential_tenant, actor=actor) as s:
        metrics_1 = queries.list_versions(s)[0].metrics
    assert {"transitions", "ease", "content"} <= set(metrics_1["tuning"]["models"])
    assert metrics_1["tuning"]["models"]["ease"]["trials"] == 1 + 2 * QUICK["tune_trials"]
    with scope(sequential_tenant, actor=actor) as s:
        s.cursor().execute(
            """UPDATE recommender_modelversion
               SET metrics = jsonb_set(metrics, '{settings}', '{"ease": {"regularisation": 7.5}}')
               WHERE tenant_id = %s""",
            (sequential_tenant.id,),
        )
    seen: list[Any] = []
    fit = pipeline.fit_ensemble

    def record_and_fit(*args: Any, **kwargs: Any) -> Any:
        seen.append(fit(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(pipeline, "fit_ensemble", record_and_fit)
    run_training(sequential_tenant, actor, profile="fast")
    assert seen[0].models["ease"].config.regularisation == 7.5
    with scope(sequential_tenant, actor=actor) as s:
        metrics_2 = queries.list_versions(s)[0].metrics
    assert metrics_2["settings"] == {"ease": {"regularisation": 7.5}}
    assert "tuning" not in metrics_2


def test_a_tuning_job_can_be_cancelled(
    sequential_tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.training.job_heartbeat.HEARTBEAT_SECONDS", 0.05)
    tune = pipeline.tune_models

    def cancel_and_tune(*args: Any, **kwargs: Any) -> Any:
        with scope(sequential_tenant, actor=actor) as s:
            open_job = jobs.list_jobs(s, limit=1, kind="train")[0][0]
            job_actions.cancel_job(s, open_job.id)
        return tune(*args, **kwargs)

    monkeypatch.setattr(pipeline, "tune_models", cancel_and_tune)
    job = run_training(sequential_tenant, actor, profile="fast", tune_seconds=60.0, tune_trials=500)
    assert (job.state, job.phase) == ("cancelled", "tuning")


def test_trials_of_a_dead_attempt_are_resumed(
    sequential_tenant: TenantRef, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.training.job_heartbeat.HEARTBEAT_SECONDS", 0.0)
    with scope(sequential_tenant, actor=actor) as s:
        job_id = job_actions.request_job(s, "train", parameters=QUICK).id
        job_actions.lease_job(s, job_id, owner="dead")
        trial = {"stage": "defaults", "overrides": {}, "ndcg": 0.5, "held_out_ndcg": 0.5, "pruned": False}
        checkpoint = {
            "tuning": {"data_description": "others", "spent_seconds": 1.0, "models": {"ease": [trial]}}
        }
        job_actions.save_checkpoint(s, job_id, owner="dead", outcome=checkpoint)
        s.cursor().execute(
            "UPDATE data_job SET lease_until = now() - interval '1 s' WHERE id = %s", (job_id,)
        )
    seen: list[Any] = []
    tune = pipeline.tune_models

    def record_and_tune(*args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs["log"].to_checkpoint())
        return tune(*args, **kwargs)

    monkeypatch.setattr(pipeline, "tune_models", record_and_tune)
    run_training_job(sequential_tenant, job_id, owner="w2", actor=actor)
    assert seen == [checkpoint["tuning"]]
    with scope(sequential_tenant, actor=actor) as s:
        assert jobs.get_job(s, job_id).outcome == {"version": 1, "state": "active", "active": True}


@pytest.mark.parametrize("name", list(PLANS))
def test_the_plan_limits_tuning(name: str) -> None:
    plan = PLANS[name]
    limits = {"tune_seconds": plan.tuning_per_training.total_seconds(), "tune_trials": plan.tuning_trials}
    assert limit_tuning_parameters(name) == limit_tuning_parameters(name, seconds=1e9, trials=10**6) == limits
    assert limit_tuning_parameters(name, seconds=5, trials=2) == {"tune_seconds": 5, "tune_trials": 2}


def test_the_command_tunes_a_tenant(make_tenant: Callable[..., TenantRef], actor: Actor) -> None:
    slug, out = f"t-{secrets.token_hex(5)}", StringIO()
    ingest_events(make_tenant(slug=slug), actor, walk_in_order)
    call_command("tune", tenant=slug, profile="fast", seconds=10.0, trials=1, stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[-1] == "v1 is active."
    assert any(line.startswith("ease") for line in lines)
