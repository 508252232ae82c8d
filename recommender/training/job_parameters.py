"""What a training job asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from recommender.fitting.training_profiles import TrainingProfileName
from recommender.tuning.tuner import TuningBudget
from tenants.data.types import JobView

TRAINING_PROFILES = ("fast", "full")


@dataclass(frozen=True, slots=True)
class TrainingParameters:
    """`tune` bounds a search for better settings before the training; `refresh` goes on from the model in service.

    `so_far` is what an attempt that was broken off had found."""

    profile: TrainingProfileName
    tuning_budget: TuningBudget | None = None
    refresh: bool = False
    checkpoint: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_job(cls, job: JobView) -> TrainingParameters:
        """A parameter that makes no sense counts as not given."""
        given, seconds = job.parameters.get("profile"), job.parameters.get("tune_seconds")
        trials = job.parameters.get("tune_trials")
        tune = None
        if isinstance(seconds, int | float) and isinstance(trials, int | float) and min(seconds, trials) > 0:
            tune = TuningBudget(float(seconds), max(int(trials), 1))
        found = job.outcome.get("tuning")
        return cls(
            profile=cast(TrainingProfileName, given) if given in TRAINING_PROFILES else "fast",
            tuning_budget=tune,
            refresh=job.parameters.get("refresh") is True,
            checkpoint=found if isinstance(found, dict) else {},
        )
