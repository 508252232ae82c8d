"""Compares a refresh of a model with a full training, on the same hidden events."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.dataset import Dataset, EvaluationProtocol, Split
from recommender.dataset.splits import VALIDATION_PROTOCOLS
from recommender.evaluation.evaluator import evaluate_blend
from recommender.evaluation.metrics import bootstrap_interval, ndcg_at_k
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.fit_options import FitOptions
from recommender.fitting.progress_tracker import ProgressTracker
from recommender.fitting.quantization import quantize_ensemble
from recommender.fitting.training_profiles import TrainingProfileName
from recommender.fitting.warm_start import refit_models, warm_start_models
from recommender.types import DataError, Float64Array, ProgressCallback, ignore_progress


def compare_refresh(
    dataset: Dataset,
    *,
    protocol: EvaluationProtocol,
    profile: TrainingProfileName,
    k: int = 10,
    seed: int = 0,
    report: ProgressCallback = ignore_progress,
) -> dict[str, Any]:
    """Hides events twice: the test events, and before them the events that the refresh adds.

    Args:
        dataset: all events.
        protocol: which events are hidden, both times.
        profile: training profile of all three trainings.
        k: length of the evaluated lists.
        seed: seed of each training.
        report: receives phases of the trainings.

    Returns:
        cases, new_events, ndcg@k and seconds by training ("live": without the new events; "full": all of them;
        "refreshed": the live model refreshed with them), and refresh_gain: mean, low and high of the paired difference
        refreshed - full with its 95 % interval.

    Raises:
        DataError: there are too few events, or the model cannot be refreshed.
    """
    split, old_data = _hide_events_twice(dataset, protocol)
    models: dict[str, Ensemble] = {}
    seconds: dict[str, float] = {}
    options = FitOptions(
        profile=profile,
        protocol=protocol,
        k=k,
    )
    for name, data in (("live", old_data), ("full", split.train)):
        started = time.perf_counter()
        ensemble = fit_ensemble(
            data,
            options,
            rng=np.random.default_rng(seed),
            report=report,
        )
        models[name] = quantize_ensemble(ensemble)
        seconds[name] = time.perf_counter() - started
    started = time.perf_counter()
    models["refreshed"] = _refresh_ensemble(models["live"], split.train, profile, seed, report)
    seconds["refreshed"] = time.perf_counter() - started
    ndcg = {name: _evaluate_ndcg(ensemble, split, k) for name, ensemble in models.items()}
    gain = bootstrap_interval(ndcg["refreshed"] - ndcg["full"], np.random.default_rng(seed))
    return {
        "cases": len(split),
        "new_events": split.train.n_events - old_data.n_events,
        f"ndcg@{k}": {name: float(case_ndcg.mean()) for name, case_ndcg in ndcg.items()},
        "refresh_gain": [gain.mean, gain.low, gain.high],
        "seconds": seconds,
    }


def _hide_events_twice(dataset: Dataset, protocol: EvaluationProtocol) -> tuple[Split, Dataset]:
    """The split that hides the test events, and its training data without the latest events."""
    hide_events = VALIDATION_PROTOCOLS[protocol]
    split = hide_events(dataset)
    old_data = split.train
    if split.train.n_events:
        old_data = hide_events(split.train).train
    if not len(split) or not 0 < old_data.n_events < split.train.n_events:
        raise DataError("There are too few events to hide some of them twice.")
    return split, old_data


def _evaluate_ndcg(ensemble: Ensemble, split: Split, k: int) -> Float64Array:
    """nDCG@k of each case, without a reranker."""
    accumulator = evaluate_blend(ensemble.models, ensemble.blend, split, k=k)
    return ndcg_at_k(accumulator.collect_ranks(), k)


def _refresh_ensemble(
    live: Ensemble,
    data: Dataset,
    profile: TrainingProfileName,
    seed: int,
    report: ProgressCallback,
) -> Ensemble:
    rng, progress = np.random.default_rng(seed), ProgressTracker(report)
    # The catalogue is the same: every item keeps its number.
    previous_index = np.arange(live.items, dtype=np.int32)
    models = warm_start_models(
        live,
        previous_index,
        profile=profile,
        progress=progress,
        rng=rng,
    )
    if models is None or not refit_models(
        models,
        data,
        progress=progress,
        rng=rng,
    ):
        raise DataError("The model cannot be refreshed.")
    return quantize_ensemble(Ensemble(models, live.blend, live.items, live.training_report))
