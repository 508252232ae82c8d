"""A model that was served goes on from where it was: new events, new items, its settings. Training processes only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.ensemble.registry import RELATIVE_COST
from recommender.algorithms.neighbourhood.ease import Ease
from recommender.algorithms.popularity.popularity import Popularity
from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.algorithms.sequential.sasrec import OnnxSequentialModel
from recommender.algorithms.sequential.trainer import SequentialTrainer
from recommender.dataset import Dataset, EvaluationProtocol
from recommender.dataset.splits import VALIDATION_PROTOCOLS
from recommender.evaluation.evaluator import evaluate_blend
from recommender.evaluation.metrics import bootstrap_interval, ndcg_at_k
from recommender.fitting.fit_ensemble import ProgressTracker, fit_ensemble
from recommender.fitting.quantization import quantize_ensemble
from recommender.fitting.training_profiles import TrainingProfileName, build_model_factories
from recommender.types import DataError, InsufficientDataError, Int32Array, ProgressCallback, ignore_progress

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
    """The members in use as members that can learn; item i of today was the live model's place[i] (-1: it was not there).

    Those that count start anew, networks from what they know. EASE is solved item by item: a dense inverse would cost as
    much as in a full training. Popularity comes along as the bar to clear. None where a network cannot go on."""
    weights = live.blend.weights
    used = [name for name in live.models if weights.get(name) or name == Popularity.name]
    members = {}
    factories = build_model_factories(profile, progress.report_step, used, backend=backend)
    for name, make in factories.items():
        former, member = live.models[name], make()
        member.config = former.config
        if isinstance(member, Ease):
            member.config = replace(former.config, dense_items=0)
        if isinstance(member, SequentialTrainer) and not (
            isinstance(former, OnnxSequentialModel) and member.warm_start(former, previous_index, rng)
        ):
            return None
        members[name] = member
    return members


def refit_models(
    models: WarmStartModels, data: Dataset, *, progress: ProgressTracker, rng: np.random.Generator
) -> bool:
    """False where a member cannot learn from what there is now."""
    progress.total, progress.done, progress.effort = sum(RELATIVE_COST[name] for name in models), 0.0, 0.0
    for name, member in models.items():
        progress.start_phase(name, RELATIVE_COST[name])
        try:
            member.fit_partial(data, rng)
        except InsufficientDataError:
            return False
    return True


def compare_refresh(
    dataset: Dataset,
    *,
    protocol: EvaluationProtocol,
    profile: TrainingProfileName,
    k: int = 10,
    seed: int = 0,
    report: ProgressCallback = ignore_progress,
) -> dict[str, Any]:
    """Figures on the test events: of a model that served before the latest events, of the same model refreshed with
    them, and of a full training; with seconds, and the paired 95% interval of refreshed over full.

    Raises DataError where there is nothing to compare."""
    split = VALIDATION_PROTOCOLS[protocol](dataset)
    before = VALIDATION_PROTOCOLS[protocol](split.train).train if split.train.n_events else split.train
    if not len(split) or not 0 < before.n_events < split.train.n_events:
        raise DataError("There are too few events to hide some of them twice.")
    models: dict[str, Ensemble] = {}
    seconds: dict[str, float] = {}
    for name, data in (("live", before), ("full", split.train)):
        started = time.perf_counter()
        made = fit_ensemble(
            data, profile=profile, rng=np.random.default_rng(seed), report=report, validation=protocol, k=k
        )
        models[name], seconds[name] = quantize_ensemble(made), time.perf_counter() - started
    started = time.perf_counter()
    models["refreshed"] = _refresh_ensemble(models["live"], split.train, profile, seed, report)
    seconds["refreshed"] = time.perf_counter() - started
    found = {
        name: ndcg_at_k(evaluate_blend(one.models, one.blend, split, k=k)["blend"].collect_ranks(), k)
        for name, one in models.items()
    }
    rng = np.random.default_rng(seed)
    gap = bootstrap_interval(found["refreshed"] - found["full"], rng)
    return {
        "cases": len(split),
        "new_events": split.train.n_events - before.n_events,
        f"ndcg@{k}": {name: float(gain.mean()) for name, gain in found.items()},
        "refresh_gain": [gap.mean, gap.low, gap.high],
        "seconds": seconds,
    }


def _refresh_ensemble(
    live: Ensemble, data: Dataset, profile: TrainingProfileName, seed: int, report: ProgressCallback
) -> Ensemble:
    rng, progress = np.random.default_rng(seed), ProgressTracker(report)
    place = np.arange(live.items, dtype=np.int32)
    members = warm_start_models(live, place, profile=profile, progress=progress, rng=rng)
    if members is None or not refit_models(members, data, progress=progress, rng=rng):
        raise DataError("The model cannot go on from where it was.")
    return quantize_ensemble(Ensemble(members, live.blend, live.items, live.training_report))
