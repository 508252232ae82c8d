"""The model in service goes on from where it was: new events, new items, the blend and the settings it has."""

from __future__ import annotations

import time
from datetime import datetime

import numpy as np

from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.dataset import Dataset, Split
from recommender.fitting.progress_tracker import ProgressTracker
from recommender.fitting.training_profiles import TRAINING_PROFILES, TrainingProfileName
from recommender.fitting.warm_start import refit_models, warm_start_models
from recommender.registry.bundle import Bundle
from recommender.training import gate
from recommender.training.gate import GateResult
from recommender.training.job_heartbeat import JobHeartbeat
from recommender.training.side_data import EnrichedData
from recommender.types import Int32Array


def refresh_model(
    live: Bundle,
    trained_until: datetime,
    enriched: EnrichedData,
    *,
    profile: TrainingProfileName,
    heartbeat: JobHeartbeat,
    backend: DistributedBackend | None = None,
) -> tuple[Ensemble, GateResult] | None:
    """The live model with what happened since `until`, judged by the later half of that, then taught everything.

    Members that count are counted again; networks go on for a few rounds; EASE is solved item by item. The blend stays.
    None where that cannot be done soundly, and a full training is due instead: too few new cases to judge by, events
    without times, a member of an older version, or one that can no longer learn."""
    source = enriched.training_data
    split = _split_new_events(source.dataset, trained_until, TRAINING_PROFILES[profile].max_cases)
    if split is None:
        return None
    started = time.perf_counter()
    rng = np.random.default_rng(0)
    heartbeat.start_phase("learning", low=20, high=60)
    progress = ProgressTracker(heartbeat.report_progress)
    place = find_positions(live.item_numbers, source.item_numbers)
    members = warm_start_models(
        live.ensemble, place, profile=profile, progress=progress, rng=rng, backend=backend
    )
    if members is None or not refit_models(
        members, enriched.add_past_reviews(split.train), progress=progress, rng=rng
    ):
        return None
    card = {**live.ensemble.training_report, "seconds": {}, "skipped": {}}
    ensemble = Ensemble(members, live.ensemble.blend, source.dataset.n_items, card, live.ensemble.reranker)
    heartbeat.start_phase("evaluating", low=60, high=70)
    verdict = gate.evaluate_candidate(
        ensemble,
        split,
        live,
        source.item_numbers,
        live_is_fair=True,
        segments=(source.user_segments, source.item_segments),
        config=gate.build_gate_config(source),
    )
    heartbeat.start_phase("refitting on all data", low=70, high=93)
    if not refit_models(members, enriched.full_dataset, progress=progress, rng=rng):
        return None
    card["seconds"] = {"refresh": time.perf_counter() - started}
    return ensemble, GateResult(verdict.reasons, {"protocol": "time-split", **verdict.metrics})


def _split_new_events(dataset: Dataset, trained_until: datetime, max_cases: int) -> Split | None:
    """The later half of the events after `until` is hidden: the live model has learned none of it."""
    new = dataset.timestamp > int(trained_until.timestamp() * 1000)
    if not dataset.has_timestamps or not new.any() or new.all():
        return None
    share = float(new.mean()) / 2
    protocol, split = gate.hold_out(dataset, max_cases=max_cases, fraction=share)
    return split if protocol == "time-split" else None


def find_positions(sorted_numbers: Int32Array, numbers: Int32Array) -> Int32Array:
    """For each number of `wanted` its place in `known`, which ascends; -1 for none."""
    if not len(sorted_numbers):
        return np.full(len(numbers), -1, np.int32)
    place = np.minimum(np.searchsorted(sorted_numbers, numbers), len(sorted_numbers) - 1)
    return np.where(sorted_numbers[place] == numbers, place, -1).astype(np.int32)
