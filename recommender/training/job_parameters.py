"""The parameters of a training job."""

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
    """Parameters of one attempt.

    Attributes:
        profile: the training profile.
        tuning_budget: bounds a search for hyper-parameters before the training; None for no search.
        refresh: refreshes the active model instead of training from scratch, if that is possible.
        checkpoint: the state of the search of an earlier attempt that was interrupted.
    """

    profile: TrainingProfileName
    tuning_budget: TuningBudget | None = None
    refresh: bool = False
    checkpoint: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_job(cls, job: JobView) -> TrainingParameters:
        """Reads a job's JSON; a parameter of another type or value is replaced by its default."""
        profile = job.parameters.get("profile")
        if profile not in TRAINING_PROFILES:
            profile = "fast"
        checkpoint = job.outcome.get("tuning")
        return cls(
            profile=cast(TrainingProfileName, profile),
            tuning_budget=_parse_tuning_budget(job.parameters),
            refresh=job.parameters.get("refresh") is True,
            checkpoint=checkpoint if isinstance(checkpoint, dict) else {},
        )


def _parse_tuning_budget(parameters: Mapping[str, Any]) -> TuningBudget | None:
    seconds, trials = parameters.get("tune_seconds"), parameters.get("tune_trials")
    if not isinstance(seconds, int | float) or not isinstance(trials, int | float):
        return None
    if min(seconds, trials) <= 0:
        return None
    return TuningBudget(float(seconds), max(int(trials), 1))
