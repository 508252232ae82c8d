"""Refreshes the active model with new events and items: same ensemble, blend and settings, warm-started networks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.dataset import Dataset, Split
from recommender.fitting.progress_tracker import ProgressTracker
from recommender.fitting.training_profiles import TRAINING_PROFILES, TrainingProfileName
from recommender.fitting.warm_start import refit_models, warm_start_models
from recommender.registry.bundle import Bundle
from recommender.tenant_data.item_positions import ItemPositions
from recommender.training import gate, phases
from recommender.training.gate import GateResult
from recommender.training.job_heartbeat import JobHeartbeat
from recommender.training.side_data import EnrichedData


@dataclass(frozen=True, slots=True)
class RefreshedModel:
    """The refreshed ensemble, and the gate's decision about it."""

    ensemble: Ensemble
    gate_result: GateResult


def refresh_model(
    live: Bundle,
    trained_until: datetime,
    enriched: EnrichedData,
    *,
    profile: TrainingProfileName,
    heartbeat: JobHeartbeat,
    backend: DistributedBackend | None = None,
) -> RefreshedModel | None:
    """Trains the active model on what was added since, and evaluates it on the later half of the new events.

    Counting models are refitted, networks are warm-started and trained for a few epochs, and EASE is solved for the items that
    changed. The blend stays. After the evaluation the models are refitted on all events.

    Args:
        live: the active model.
        trained_until: the time of the newest event that it was trained on.
        enriched: the tenant's current data.
        profile: the training profile.
        heartbeat: progress and cancellation.
        backend: trains networks elsewhere, if given.

    Returns:
        The refreshed model. None if a full training is needed: too few new cases, events without timestamps, or a
        model that cannot be warm-started.
    """
    training_data = enriched.training_data
    max_cases = TRAINING_PROFILES[profile].max_cases
    split = _split_new_events(training_data.dataset, trained_until, max_cases)
    if split is None:
        return None
    started = time.perf_counter()
    rng = np.random.default_rng(0)
    heartbeat.start_phase(phases.REFRESH_TRAINING)
    progress = ProgressTracker(heartbeat.report_progress)
    models = warm_start_models(
        live.ensemble,
        ItemPositions(live.item_numbers).find(training_data.item_numbers),
        profile=profile,
        progress=progress,
        rng=rng,
        backend=backend,
    )
    if models is None:
        return None
    past_data = enriched.add_past_reviews(split.train)
    if not refit_models(models, past_data, progress=progress, rng=rng):
        return None
    # The report is mutable on purpose: the ensemble keeps it, and the time of the refit is added below.
    report = {**live.ensemble.training_report, "seconds": {}, "skipped": {}}
    n_items = training_data.dataset.n_items
    ensemble = Ensemble(models, live.ensemble.blend, n_items, report, live.ensemble.reranker)
    heartbeat.start_phase(phases.REFRESH_EVALUATING)
    # The split holds out events that are newer than the live model's, so the comparison with it is fair.
    result = gate.evaluate_on_tenant(ensemble, split, live, training_data, live_is_fair=True)
    heartbeat.start_phase(phases.REFRESH_REFITTING)
    if not refit_models(models, enriched.full_dataset, progress=progress, rng=rng):
        return None
    report["seconds"] = {"refresh": time.perf_counter() - started}
    return RefreshedModel(ensemble, result)


def _split_new_events(dataset: Dataset, trained_until: datetime, max_cases: int) -> Split | None:
    """Holds out the later half of the events that the active model was not trained on; None if that is no time split."""
    is_new = dataset.timestamp > int(trained_until.timestamp() * 1000)
    if not dataset.has_timestamps or not is_new.any() or is_new.all():
        return None
    fraction = float(is_new.mean()) / 2
    held_out = gate.hold_out(dataset, max_cases=max_cases, fraction=fraction)
    if held_out.protocol != "time-split":
        return None
    return held_out.split
