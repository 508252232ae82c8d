"""Options of one fit of an ensemble."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.dataset import EvaluationProtocol
from recommender.fitting.training_profiles import ParameterOverrides, TrainingProfileName


@dataclass(frozen=True)
class FitOptions:
    """Options of `fit_ensemble`.

    profile: how much work the training may take.
    model_names: models to fit; by default those of the profile and those for the side data that the data set has.
    protocol: which events are hidden for validation.
    k: length of the lists that validation evaluates.
    refit_on_all: whether the models learn the validation events too; False for a caller that refits them later.
    overrides: by model name, hyper-parameters that differ from the defaults.
    serving_budget_ms: processor time of all models together for one history; slow models that add little are dropped.
    backend: distributed backend of the sequential models.
    """

    profile: TrainingProfileName = "full"
    model_names: tuple[str, ...] = ()
    protocol: EvaluationProtocol = "leave-last-out"
    k: int = 10
    refit_on_all: bool = True
    overrides: ParameterOverrides = field(default_factory=dict)
    serving_budget_ms: float = math.inf
    backend: DistributedBackend | None = None
