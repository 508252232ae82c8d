"""Fits the members, learns their blend on hidden events, and fits the members again on everything.

Loads torch: training processes only."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.ensemble.registry import RELATIVE_COST
from recommender.algorithms.ensemble.reranker import GradientBoostedReranker
from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.dataset import Dataset, EvaluationProtocol, Split
from recommender.dataset.splits import VALIDATION_PROTOCOLS
from recommender.evaluation.evaluator import evaluate_blend, evaluate_models
from recommender.evaluation.metrics import is_significantly_better, ndcg_at_k
from recommender.fitting import quantization
from recommender.fitting.blend_weights import CandidateScores, build_equal_blend, fit_blend
from recommender.fitting.model_selection import prune_models
from recommender.fitting.reranker_training import fit_reranker_if_better
from recommender.fitting.training_profiles import (
    NO_OVERRIDES,
    TRAINING_PROFILES,
    ModelFactories,
    ParameterOverrides,
    TrainingProfileName,
    build_model_factories,
    select_default_models,
)
from recommender.types import DataError, InsufficientDataError, ProgressCallback, ignore_progress

EnsembleModels = dict[str, Recommender[Any]]

# Below so many hidden cases by time the weights would learn who happened to be asked: each last event is hidden instead.
MIN_VALIDATION_CASES = 400


@dataclass
class ProgressTracker:
    """Turns the steps of a fit into one fraction of the whole that only rises."""

    report: ProgressCallback
    total: float = 1.0
    done: float = 0.0
    phase: str = "start"
    effort: float = 0.0

    def start_phase(self, phase: str, effort: float) -> None:
        self.done += self.effort
        self.phase, self.effort = phase, effort
        self.report_step(phase, 0.0)

    def report_step(self, _step: str, fraction: float) -> None:
        """A Report for the step under way."""
        self.report(self.phase, min((self.done + self.effort * fraction) / self.total, 1.0))


Clock = Callable[[], float]


@dataclass
class FitState:
    """What accumulates while fitting."""

    models: EnsembleModels = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def fit_ensemble(  # noqa: PLR0913 - the choices of one fit, all keyword-only
    dataset: Dataset,
    *,
    profile: TrainingProfileName = "full",
    model_names: Sequence[str] = (),
    rng: np.random.Generator,
    report: ProgressCallback = ignore_progress,
    validation: EvaluationProtocol = "leave-last-out",
    k: int = 10,
    refit_on_all: bool = True,
    overrides: ParameterOverrides = NO_OVERRIDES,
    serving_budget_ms: float = math.inf,
    clock: Clock = time.thread_time,
    backend: DistributedBackend | None = None,
) -> Ensemble:
    """An ensemble that has learned from every event of `dataset`, with weights from hidden ones.

    Its members are those named, or the profile's and those of what the data has where none is; an unknown name is a
    DataError. `changes` are settings of members that differ from the profile's.
    A member that adds nothing to the blend, or costs more of `serving_ms` than it adds, has no weight in it.
    `clock` gives seconds of processor time: like chance, what members cost on this machine is an argument.
    Without `again` the members have not learned the hidden events, for a caller that refits them on more.
    `report` hears a phase name and the fraction of the whole work; what it raises passes through. A member
    that cannot learn from this data is left out and named in card["skipped"]. card["validation"] holds the
    figures on the hidden events, card["protocol"] how these were chosen: each last event where fewer than LEAST_CASES
    are asked by time. card["choice"] has the blend with and without each member, card["second_stage"] what the ranker
    adds, card["beats_popularity"] whether the paired 95% interval of the blend is above it.
    Raises DataError when there is nothing to learn from at all."""
    progress = ProgressTracker(report)
    names = model_names or select_default_models(profile, dataset)
    makers = build_model_factories(
        profile,
        progress.report_step,
        names,
        overrides=overrides,
        ordered=dataset.is_ordered,
        backend=backend,
    )
    progress.total = 1.35 * sum(RELATIVE_COST[name] for name in makers)
    fitting = FitState()
    validation, split = _split_validation(dataset, validation)
    split = split.sample_cases(TRAINING_PROFILES[profile].max_cases, rng)
    hidden = len(split) > 0 and split.train.n_events > 0
    _fit_models(split.train if hidden else dataset, makers, rng, progress, fitting)
    if not fitting.models:
        raise DataError("No algorithm can learn from this data: there are no events and no texts.")
    card: dict[str, Any] = {"profile": profile, "protocol": validation, "skipped": fitting.skipped}
    if hidden:
        progress.start_phase("blend", 0.05)
        blend, ranker, figures = _fit_blend_and_reranker(
            fitting.models, split, rng, k, serving_budget_ms, clock
        )
        card |= figures
        card["compression"] = quantization.select_quantized_models(fitting.models, blend, split, k=k)
        if refit_on_all:
            _refit_models(dataset, rng, progress, fitting)
    else:
        blend, ranker = build_equal_blend(tuple(fitting.models)), None
        card |= {"validation": None, "beats_popularity": False, "weights": dict(blend.weights)}
    card["notes"] = {name: member.fit_note for name, member in fitting.models.items() if member.fit_note}
    card["seconds"] = fitting.seconds
    report("done", 1.0)
    return Ensemble(fitting.models, blend, dataset.n_items, card, ranker)


def _split_validation(dataset: Dataset, protocol: EvaluationProtocol) -> tuple[EvaluationProtocol, Split]:
    """Weights learned from a few dozen cases are chance: where few users went on after the cut, each last event of the
    same training data is hidden instead."""
    split = VALIDATION_PROTOCOLS[protocol](dataset)
    if len(split) >= MIN_VALIDATION_CASES:
        return protocol, split
    others = VALIDATION_PROTOCOLS["leave-last-out"](dataset)
    return ("leave-last-out", others) if len(others) > len(split) else (protocol, split)


def _fit_models(
    data: Dataset,
    factories: ModelFactories,
    rng: np.random.Generator,
    progress: ProgressTracker,
    state: FitState,
) -> None:
    for name, make in factories.items():
        progress.start_phase(name, RELATIVE_COST[name])
        started = time.perf_counter()
        member = make()
        try:
            member.fit(data, rng)
        except InsufficientDataError as reason:
            state.skipped[name] = str(reason)
            continue
        state.models[name] = member
        state.seconds[name] = time.perf_counter() - started


def _refit_models(
    data: Dataset, rng: np.random.Generator, progress: ProgressTracker, state: FitState
) -> None:
    for name, member in state.models.items():
        progress.start_phase(f"{name} again", RELATIVE_COST[name] * 0.3)
        started = time.perf_counter()
        member.fit_partial(data, rng)
        state.seconds[name] += time.perf_counter() - started


def _fit_blend_and_reranker(
    models: EnsembleModels,
    split: Split,
    rng: np.random.Generator,
    k: int,
    serving_budget_ms: float,
    clock: Clock,
) -> tuple[Blend, GradientBoostedReranker | None, Mapping[str, Any]]:
    rehearsal = CandidateScores(tuple(models))
    tallies = evaluate_models(models, split, k=k, candidate_scores=rehearsal)
    milliseconds = _measure_scoring_ms(models, split, clock)
    choice = prune_models(
        rehearsal, fit_blend(rehearsal, k=k), milliseconds, k=k, budget_ms=serving_budget_ms
    )
    trial = fit_reranker_if_better(rehearsal, choice.blend, k=k, rng=rng)
    # The second stage is judged by held-out cases alone: these here it has seen.
    tallies |= evaluate_blend(models, choice.blend, split, k=k)
    ours = ndcg_at_k(tallies["blend"].collect_ranks(), k)
    bar = (
        ndcg_at_k(tallies["popularity"].collect_ranks(), k)
        if "popularity" in tallies
        else np.zeros_like(ours)
    )
    blend = Blend({name: choice.blend.weights.get(name, 0.0) for name in models})
    figures = {
        "validation": {name: tally.summarize_metrics(rng) for name, tally in tallies.items()},
        "beats_popularity": is_significantly_better(ours, bar, rng),
        "weights": dict(blend.weights),
        "choice": choice.to_json(),
        "second_stage": trial.to_json(),
        "score_one_ms": milliseconds,
    }
    return blend, trial.reranker, figures


def _measure_scoring_ms(
    models: EnsembleModels, split: Split, clock: Clock, max_queries: int = 50
) -> dict[str, float]:
    """The median milliseconds of processor time that each member takes for one history."""
    histories = [split.histories.slice_row(case) for case in range(min(max_queries, len(split)))]
    figures = {}
    for name, member in models.items():
        taken = []
        for history in histories:
            started = clock()
            member.score_history(history)
            taken.append(clock() - started)
        figures[name] = float(np.median(taken)) * 1000
    return figures
