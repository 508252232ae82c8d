"""Warm start: fits the models of the active version on newer data, starting from what they have learned. Loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.ensemble.registry import RELATIVE_COST
from recommender.algorithms.neighbourhood.ease import Ease
from recommender.algorithms.popularity.popularity import Popularity
from recommender.algorithms.sequential.base import OnnxSequentialModel
from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.algorithms.sequential.trainer import SequentialTrainer
from recommender.dataset import Dataset
from recommender.fitting.progress_tracker import ProgressTracker
from recommender.fitting.training_profiles import TrainingProfileName, build_model_specs
from recommender.types import InsufficientDataError, Int32Array

WarmStartModels = Mapping[str, Recommender[Any]]


def warm_start_models(
    live: Ensemble,
    previous_index: Int32Array,
    *,
    profile: TrainingProfileName,
    progress: ProgressTracker,
    rng: np.random.Generator,
    backend: DistributedBackend | None = None,
) -> dict[str, Recommender[Any]] | None:
    """Builds trainable copies of the active models for a refresh.

    Sequential models start from their weights; all others will be fitted from scratch. Popularity is always included as
    the baseline of the promotion gate.

    Args:
        live: the active ensemble.
        previous_index: for each item of the new catalogue, its number in `live`, or -1 for a new item, int32 (items,).
        profile: training profile.
        progress: receives the progress of the fits.
        rng: initialises the embeddings of new items.
        backend: distributed backend of the sequential models.

    Returns:
        Models by name, ready for `refit_models`; None where a sequential model cannot be warm-started.
    """
    weights = live.blend.weights
    names = [name for name in live.models if weights.get(name) or name == Popularity.name]
    specs = build_model_specs(profile, progress.report_step, names, backend=backend)
    models = {}
    for name, spec in specs.items():
        previous = live.models[name]
        config = previous.config
        if name == Ease.name:
            # Solved item by item: the dense inverse would take as long as in a full training.
            config = replace(config, dense_items=0)
        model = replace(spec, config=config).build()
        if isinstance(model, SequentialTrainer):
            if not isinstance(previous, OnnxSequentialModel):
                return None
            if not model.warm_start(previous, previous_index, rng):
                return None
        models[name] = model
    return models


def refit_models(
    models: WarmStartModels,
    data: Dataset,
    *,
    progress: ProgressTracker,
    rng: np.random.Generator,
) -> bool:
    """Fits the models in place; returns False where a model cannot learn from the data."""
    progress.total = sum(RELATIVE_COST[name] for name in models)
    progress.done, progress.effort = 0.0, 0.0
    for name, model in models.items():
        progress.start_phase(name, RELATIVE_COST[name])
        try:
            model.fit_partial(data, rng)
        except InsufficientDataError:
            return False
    return True
