"""Fits an ensemble: models on training events, blend and reranker on validation events, then the models on all events.

Imports torch, so only training processes may import this module.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.ensemble.registry import RELATIVE_COST
from recommender.algorithms.ensemble.reranker import GradientBoostedReranker
from recommender.dataset import Dataset, EvaluationProtocol, Split
from recommender.dataset.splits import VALIDATION_PROTOCOLS
from recommender.evaluation.candidate_scores import CandidateScores
from recommender.evaluation.evaluator import evaluate_blend, evaluate_models
from recommender.evaluation.metrics import is_significantly_better, ndcg_at_k
from recommender.fitting import quantization
from recommender.fitting.blend_weights import build_equal_blend, fit_blend
from recommender.fitting.fit_options import FitOptions
from recommender.fitting.model_selection import prune_models
from recommender.fitting.progress_tracker import ProgressTracker
from recommender.fitting.reranker_training import fit_reranker_if_better
from recommender.fitting.training_profiles import (
    TRAINING_PROFILES,
    ModelSpecs,
    build_model_specs,
    select_default_models,
)
from recommender.types import DataError, InsufficientDataError, ProgressCallback, ignore_progress

EnsembleModels = dict[str, Recommender[Any]]
Clock = Callable[[], float]

# With fewer cases of a time split, blend weights would be chance: each user's last event is hidden instead.
MIN_VALIDATION_CASES = 400
# Cost of refitting on all events relative to the first fit, and of blend, reranker and quantization.
REFIT_COST_FACTOR = 0.3
BLEND_COST = 0.05
MAX_TIMED_QUERIES = 50


@dataclass
class FitState:
    """Results of the single fits, by model name: models, seconds, and why a model was skipped."""

    models: EnsembleModels = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def collect_notes(self) -> dict[str, str]:
        """Remarks of the fits, for models that have one."""
        return {name: model.fit_note for name, model in self.models.items() if model.fit_note}


@dataclass(frozen=True)
class ValidationResult:
    """What is fitted on validation events, and its entries of the training report."""

    blend: Blend
    reranker: GradientBoostedReranker | None
    report: dict[str, Any]


def fit_ensemble(
    dataset: Dataset,
    options: FitOptions | None = None,
    *,
    rng: np.random.Generator,
    report: ProgressCallback = ignore_progress,
    clock: Clock = time.thread_time,
) -> Ensemble:
    """Fits models, blend weights and reranker.

    Args:
        dataset: events and side data.
        options: which models are fitted and how they are validated.
        rng: source of all randomness.
        report: receives a phase name and the fraction of the whole work; an exception that it raises ends the fit.
        clock: seconds of processor time; an argument, so that tests do not depend on the machine.

    Returns:
        The ensemble. Its training report has: profile, protocol (of validation; leave-last-out where a time split has
        fewer than MIN_VALIDATION_CASES cases), skipped (by model name why it could not be fitted), validation (metrics
        by model and of the blend; None without validation events), beats_popularity (whether the blend is significantly
        better), weights, selection, reranker, quantization, score_one_ms, notes and seconds (by model name).

    Raises:
        DataError: a name without a model, or no model can learn from the data.
    """
    options = options or FitOptions()
    progress = ProgressTracker(report)
    specs = _build_specs(dataset, options, progress)
    # Each model is fitted (1) and refitted (0.3); the rest is for blend, reranker and quantization.
    progress.total = 1.35 * sum(RELATIVE_COST[name] for name in specs)
    state = FitState()
    protocol, split = _split_validation(dataset, options.protocol)
    split = split.sample_cases(TRAINING_PROFILES[options.profile].max_cases, rng)
    has_validation = len(split) > 0 and split.train.n_events > 0
    _fit_models(split.train if has_validation else dataset, specs, rng, progress, state)
    if not state.models:
        raise DataError("No algorithm can learn from this data: there are no events and no texts.")
    training_report: dict[str, Any] = {
        "profile": options.profile,
        "protocol": protocol,
        "skipped": state.skipped,
    }
    if has_validation:
        progress.start_phase("blend", BLEND_COST)
        result = _fit_on_validation(
            state.models,
            split,
            options,
            rng=rng,
            clock=clock,
        )
        if options.refit_on_all:
            _refit_models(dataset, rng, progress, state)
    else:
        result = _skip_validation(state.models)
    training_report |= result.report
    training_report |= {"notes": state.collect_notes(), "seconds": state.seconds}
    report("done", 1.0)
    return Ensemble(state.models, result.blend, dataset.n_items, training_report, result.reranker)


def _build_specs(dataset: Dataset, options: FitOptions, progress: ProgressTracker) -> ModelSpecs:
    names = options.model_names or select_default_models(options.profile, dataset)
    return build_model_specs(
        options.profile,
        progress.report_step,
        names,
        overrides=options.overrides,
        ordered=dataset.is_ordered,
        backend=options.backend,
    )


def _split_validation(dataset: Dataset, protocol: EvaluationProtocol) -> tuple[EvaluationProtocol, Split]:
    """Falls back to leave-last-out where `protocol` has too few cases and leave-last-out has more."""
    split = VALIDATION_PROTOCOLS[protocol](dataset)
    if len(split) >= MIN_VALIDATION_CASES:
        return protocol, split
    last_out = VALIDATION_PROTOCOLS["leave-last-out"](dataset)
    if len(last_out) > len(split):
        return "leave-last-out", last_out
    return protocol, split


def _fit_models(
    data: Dataset,
    specs: ModelSpecs,
    rng: np.random.Generator,
    progress: ProgressTracker,
    state: FitState,
) -> None:
    for name, spec in specs.items():
        progress.start_phase(name, RELATIVE_COST[name])
        started = time.perf_counter()
        model = spec.build()
        try:
            model.fit(data, rng)
        except InsufficientDataError as error:
            state.skipped[name] = str(error)
            continue
        state.models[name] = model
        state.seconds[name] = time.perf_counter() - started


def _refit_models(
    data: Dataset,
    rng: np.random.Generator,
    progress: ProgressTracker,
    state: FitState,
) -> None:
    for name, model in state.models.items():
        progress.start_phase(f"{name} refit", RELATIVE_COST[name] * REFIT_COST_FACTOR)
        started = time.perf_counter()
        model.fit_partial(data, rng)
        state.seconds[name] += time.perf_counter() - started


def _skip_validation(models: EnsembleModels) -> ValidationResult:
    """Equal weights, for data without validation events."""
    blend = build_equal_blend(tuple(models))
    report = {"validation": None, "beats_popularity": False, "weights": dict(blend.weights)}
    return ValidationResult(blend, None, report)


def _fit_on_validation(
    models: EnsembleModels,
    split: Split,
    options: FitOptions,
    *,
    rng: np.random.Generator,
    clock: Clock,
) -> ValidationResult:
    """Fits blend weights, selects models, fits the reranker and chooses quantized models."""
    k = options.k
    candidate_scores = CandidateScores(tuple(models))
    accumulators = evaluate_models(
        models,
        split,
        k=k,
        candidate_scores=candidate_scores,
    )
    scoring_ms = _measure_scoring_ms(models, split, clock)
    selection = prune_models(
        candidate_scores,
        fit_blend(candidate_scores, k=k),
        scoring_ms,
        k=k,
        budget_ms=options.serving_budget_ms,
    )
    reranker_trial = fit_reranker_if_better(
        candidate_scores,
        selection.blend,
        k=k,
        rng=rng,
    )
    # The blend is evaluated without the reranker, which has been fitted on these cases.
    accumulators["blend"] = evaluate_blend(models, selection.blend, split, k=k)
    blend_ndcg = ndcg_at_k(accumulators["blend"].collect_ranks(), k)
    popularity_ndcg = np.zeros_like(blend_ndcg)
    if "popularity" in accumulators:
        popularity_ndcg = ndcg_at_k(accumulators["popularity"].collect_ranks(), k)
    blend = Blend({name: selection.blend.weights.get(name, 0.0) for name in models})
    report = {
        "validation": {name: metrics.summarize_metrics(rng) for name, metrics in accumulators.items()},
        "beats_popularity": is_significantly_better(blend_ndcg, popularity_ndcg, rng),
        "weights": dict(blend.weights),
        "selection": selection.to_json(),
        "reranker": reranker_trial.to_json(),
        "score_one_ms": scoring_ms,
        "quantization": quantization.select_quantized_models(models, blend, split, k=k),
    }
    return ValidationResult(blend, reranker_trial.reranker, report)


def _measure_scoring_ms(models: EnsembleModels, split: Split, clock: Clock) -> dict[str, float]:
    """By model name, the median milliseconds of processor time to score one history."""
    n_queries = min(MAX_TIMED_QUERIES, len(split))
    histories = [split.histories.slice_row(case) for case in range(n_queries)]
    milliseconds = {}
    for name, model in models.items():
        seconds = []
        for history in histories:
            started = clock()
            model.score_history(history)
            seconds.append(clock() - started)
        milliseconds[name] = float(np.median(seconds)) * 1000
    return milliseconds
