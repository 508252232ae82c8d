"""Limits a search for hyper-parameters by the tenant's plan."""

from __future__ import annotations

from tenants.control.plans import get_plan


def limit_tuning_parameters(
    plan_name: str, *, seconds: float | None = None, trials: int | None = None
) -> dict[str, float]:
    """The job parameters "tune_seconds" and "tune_trials": the given values or the plan's, whichever is smaller."""
    plan = get_plan(plan_name)
    max_seconds, max_trials = plan.tuning_per_training.total_seconds(), plan.tuning_trials
    return {
        "tune_seconds": max_seconds if seconds is None else min(seconds, max_seconds),
        "tune_trials": max_trials if trials is None else min(trials, max_trials),
    }
