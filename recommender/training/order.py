"""What a training job asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from recommender.evaluation.profiles import Profile
from recommender.evaluation.tuning import Budget
from tenants.data.types import JobView

PROFILES = ("fast", "full")


@dataclass(frozen=True, slots=True)
class Order:
    """`tune` bounds a search for better settings before the training; `refresh` goes on from the model in service.

    `so_far` is what an attempt that was broken off had found."""

    profile: Profile
    tune: Budget | None = None
    refresh: bool = False
    so_far: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, job: JobView) -> Order:
        """A parameter that makes no sense counts as not given."""
        given, seconds = job.parameters.get("profile"), job.parameters.get("tune_seconds")
        trials = job.parameters.get("tune_trials")
        tune = None
        if isinstance(seconds, int | float) and isinstance(trials, int | float) and min(seconds, trials) > 0:
            tune = Budget(float(seconds), max(int(trials), 1))
        found = job.outcome.get("tuning")
        return cls(
            profile=cast(Profile, given) if given in PROFILES else "fast",
            tune=tune,
            refresh=job.parameters.get("refresh") is True,
            so_far=found if isinstance(found, dict) else {},
        )
