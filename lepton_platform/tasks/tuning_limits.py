"""How long a tenant's training may look for better settings."""

from __future__ import annotations

from tenants.control.plans import get_plan


def limit_tuning_parameters(
    plan_name: str, *, seconds: float | None = None, trials: int | None = None
) -> dict[str, float]:
    """The job parameters of a training that tunes: what is asked for, and never more than the plan's budget."""
    most = get_plan(plan_name)
    longest = most.tuning_per_training.total_seconds()
    return {
        "tune_seconds": longest if seconds is None else min(seconds, longest),
        "tune_trials": most.tuning_trials if trials is None else min(trials, most.tuning_trials),
    }
