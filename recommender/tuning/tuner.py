"""Hyper-parameter search for the models of one data set, on validation events, within a time budget. Loads torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.search_space import get_search_spaces
from recommender.algorithms.ensemble.registry import RELATIVE_COST
from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.dataset import Split
from recommender.evaluation.candidate_scores import CandidateScores
from recommender.evaluation.evaluator import evaluate_blend, evaluate_models
from recommender.evaluation.metrics import ndcg_at_k
from recommender.fitting.blend_weights import fit_blend
from recommender.fitting.training_profiles import (
    ModelSpec,
    ModelSpecs,
    ParameterOverrides,
    TrainingProfileName,
    build_model_specs,
)
from recommender.tuning.deadline import Deadline, DeadlineExceeded
from recommender.tuning.model_search import ModelSearch, ParameterValues
from recommender.tuning.search_log import SearchLog
from recommender.types import DataError, InsufficientDataError, ProgressCallback, ignore_progress

MAX_CASES = 6_000
# Below this relative cost, the duration of a trial is dominated by evaluation and says nothing of slower models.
MIN_RELATIVE_COST = 0.1


@dataclass(frozen=True)
class TuningBudget:
    """seconds: for all models together. trials: for each model, in each of its two stages."""

    seconds: float
    trials: int

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.trials > 0):
            raise DataError("A tuning budget needs more than zero seconds and at least one trial.")


@dataclass(frozen=True)
class TuningOptions:
    """Options of `tune_models`.

    budget: seconds and trials.
    profile: training profile of the models.
    model_names: models to tune; by default those of the profile.
    previous: hyper-parameters by model name that an earlier search found; they are evaluated first.
    seed: seed of the search and of the fits.
    k: length of the evaluated lists.
    backend: distributed backend of the sequential models.
    """

    budget: TuningBudget
    profile: TrainingProfileName = "full"
    model_names: tuple[str, ...] = ()
    previous: ParameterOverrides = field(default_factory=dict)
    seed: int = 0
    k: int = 10
    backend: DistributedBackend | None = None


@dataclass(frozen=True)
class TuningResult:
    """overrides: hyper-parameters for the next fits. report: how they were found and what they gain."""

    overrides: dict[str, ParameterValues]
    report: dict[str, Any]


def tune_models(
    split: Split,
    options: TuningOptions,
    *,
    report: ProgressCallback = ignore_progress,
    log: SearchLog | None = None,
) -> TuningResult:
    """Searches hyper-parameters for one model after the other.

    One half of the cases chooses a configuration; the other half must confirm that it is better than the defaults. At
    the end, the blend of the tuned models must be no worse on that half than the blend of the defaults; otherwise all
    models keep the defaults.

    Args:
        split: training events and validation cases.
        options: budget and models.
        report: receives the phase and the fraction of the budget that is spent; an exception that it raises ends the
            search.
        log: trials of an interrupted search, which is resumed if its data is the same; receives all further trials.

    Returns:
        Overrides by model name; a model that was not reached keeps its `previous` ones. The report has seconds, models
        (by name: trials, pruned, settings, ndcg and held_out_ndcg of the defaults and of the best trial) and blend
        (held-out nDCG with "defaults" and "tuned"; None where no model has overrides).
    """
    log = log or SearchLog()
    log.reset_if_other_data(split)
    if len(split) < 2 or not split.train.n_events:
        return TuningResult({}, {"seconds": 0.0, "models": {}, "blend": None})
    run = _TuningRun(
        split,
        options,
        report=report,
        log=log,
    )
    specs = build_model_specs(
        options.profile,
        run.report_progress,
        options.model_names,
        ordered=split.train.is_ordered,
        backend=options.backend,
    )
    searches = run.tune_all_models(specs)
    tuned = _select_overrides(searches)
    blend_ndcg = None
    if tuned:
        blend_ndcg = run.compare_blends({name: specs[name] for name in searches}, tuned)
    if blend_ndcg and blend_ndcg["tuned"] < blend_ndcg["defaults"]:
        tuned = {}
    report("tuning", 1.0)
    overrides = dict(tuned)
    for name, settings in options.previous.items():
        if name not in searches:
            overrides[name] = dict(settings)
    summaries = {}
    for name, search in searches.items():
        summaries[name] = _summarize_search(search, tuned.get(name, {}))
    tuning_report = {"seconds": run.deadline.spent_seconds, "models": summaries, "blend": blend_ndcg}
    return TuningResult(overrides, tuning_report)


class _TuningRun:
    """State of one search: the two halves of the cases, the deadline, and what trials took so far."""

    def __init__(
        self,
        split: Split,
        options: TuningOptions,
        *,
        report: ProgressCallback,
        log: SearchLog,
    ) -> None:
        rng = np.random.default_rng(options.seed)
        cases = split.sample_cases(MAX_CASES, rng)
        search_rows, held_out_rows = np.array_split(rng.permutation(len(cases)), 2)
        self.search_split = cases.take(np.sort(search_rows))
        self.held_out_split = cases.take(np.sort(held_out_rows))
        self.deadline = Deadline(options.budget.seconds, spent_seconds=log.spent_seconds)
        self._options = options
        self._report, self._log = report, log
        # Seconds that the comparison of blends at the end will need.
        self._reserved_seconds = 0.0
        # Longest trial so far per unit of relative cost: predicts the trials of slower models.
        self._seconds_per_cost = 0.0

    def report_progress(self, name: str, _fraction: float) -> None:
        """The progress callback of the models. Raises DeadlineExceeded within a search whose budget is spent."""
        self._report(f"tuning {name}", self.deadline.spent_fraction)
        self.deadline.check()

    def tune_all_models(self, specs: ModelSpecs) -> dict[str, ModelSearch]:
        """Searches in the order of `specs`; models without any trial are omitted."""
        searches = {}
        for position, (name, spec) in enumerate(specs.items()):
            search = self._tune_model(name, spec, n_remaining=len(specs) - position)
            if search is not None:
                searches[name] = search
        return searches

    def _tune_model(
        self,
        name: str,
        spec: ModelSpec,
        *,
        n_remaining: int,
    ) -> ModelSearch | None:
        """None where the model has no search space or cannot be fitted, or where the budget does not reach it.

        `n_remaining` counts this model and those after it, which get equal parts of the remaining budget.
        """
        remaining_seconds = self.deadline.remaining_seconds - self._reserved_seconds
        predicted_seconds = self._seconds_per_cost * RELATIVE_COST[name]
        has_search_space = any(get_search_spaces(type(spec.config)))
        if not has_search_space or remaining_seconds <= max(predicted_seconds, 0.0):
            return None
        model_deadline = time.perf_counter() + remaining_seconds / max(n_remaining, 1)
        trials = self._log.trials_by_model.setdefault(name, [])
        search = ModelSearch(
            spec=spec,
            search_split=self.search_split,
            held_out_split=self.held_out_split,
            k=self._options.k,
            seed=self._options.seed,
            trials=trials,
            on_trial=self._make_trial_callback(name),
        )
        try:
            with self.deadline:
                search.run_search(
                    self._options.previous.get(name, {}),
                    max_trials=self._options.budget.trials,
                    deadline=model_deadline,
                )
        except (InsufficientDataError, DeadlineExceeded):
            if not trials:
                return None
        seconds_per_cost = search.max_trial_seconds / max(RELATIVE_COST[name], MIN_RELATIVE_COST)
        self._seconds_per_cost = max(self._seconds_per_cost, seconds_per_cost)
        # The comparison of blends fits each model at most twice.
        self._reserved_seconds += 2 * search.max_trial_seconds
        return search

    def _make_trial_callback(self, name: str) -> Callable[[], None]:
        def record_trial() -> None:
            self._log.spent_seconds = self.deadline.spent_seconds
            self._log.on_trial(self._log.to_checkpoint())
            self.report_progress(name, 0.0)

        return record_trial

    def compare_blends(self, specs: ModelSpecs, overrides: ParameterOverrides) -> dict[str, float]:
        """nDCG@k of the blend on the held-out half, with the defaults and tuned; weights are fitted on the search half."""
        unchanged_specs = {name: spec for name, spec in specs.items() if name not in overrides}
        unchanged = self._fit_models(unchanged_specs)
        defaults = self._fit_models({name: specs[name] for name in overrides})
        defaults_ndcg = self._evaluate_blend(unchanged | defaults)
        # Released before the tuned models are fitted.
        del defaults
        tuned_specs = {}
        for name, parameters in overrides.items():
            tuned_specs[name] = specs[name].with_overrides(parameters)
        tuned = self._fit_models(tuned_specs)
        return {"defaults": defaults_ndcg, "tuned": self._evaluate_blend(unchanged | tuned)}

    def _fit_models(self, specs: ModelSpecs) -> dict[str, Recommender[Any]]:
        models = {}
        for name, spec in specs.items():
            model = spec.build()
            model.fit(self.search_split.train, np.random.default_rng(self._options.seed))
            self.report_progress(name, 0.0)
            models[name] = model
        return models

    def _evaluate_blend(self, models: Mapping[str, Recommender[Any]]) -> float:
        k = self._options.k
        candidate_scores = CandidateScores(tuple(models))
        evaluate_models(
            models,
            self.search_split,
            k=k,
            candidate_scores=candidate_scores,
        )
        blend = fit_blend(candidate_scores, k=k)
        accumulator = evaluate_blend(models, blend, self.held_out_split, k=k)
        return float(ndcg_at_k(accumulator.collect_ranks(), k).mean())


def _select_overrides(searches: Mapping[str, ModelSearch]) -> dict[str, ParameterValues]:
    """Overrides of the selected trials; models that keep their defaults are omitted."""
    overrides = {}
    for name, search in searches.items():
        parameters = search.select_trial()["overrides"]
        if parameters:
            overrides[name] = dict(parameters)
    return overrides


def _summarize_search(search: ModelSearch, overrides: ParameterValues) -> dict[str, Any]:
    default, best = search.trials[0], search.find_best_trial()
    return {
        "trials": len(search.trials),
        "pruned": sum(trial["pruned"] for trial in search.trials),
        "settings": overrides,
        "ndcg": {"defaults": default["ndcg"], "best": best["ndcg"]},
        "held_out_ndcg": {"defaults": default["held_out_ndcg"], "best": best["held_out_ndcg"]},
    }
