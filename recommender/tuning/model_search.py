"""The hyper-parameter search of one model: optuna draws configurations, and prunes trials that are worse than others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import optuna

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.search_space import (
    FloatRange,
    IntRange,
    SearchSpace,
    filter_valid_overrides,
    get_search_spaces,
)
from recommender.dataset import Split
from recommender.evaluation.evaluator import choose_batch_size
from recommender.evaluation.metrics import ndcg_at_k, rank_targets
from recommender.fitting.training_profiles import ModelSpec
from recommender.tuning.search_log import TrialRecord, TrialStage
from recommender.types import InsufficientDataError

# optuna would write a line for each study and each trial to stderr.
optuna.logging.set_verbosity(optuna.logging.WARNING)

BATCH_SIZE = 512
WARMUP_TRIALS = 4

ParameterValues = dict[str, Any]


@dataclass
class ModelSearch:
    """The trials of one model.

    spec: the model with its default configuration.
    search_split: cases that trials are compared on.
    held_out_split: cases that confirm the best trial; no trial is chosen by them.
    k: length of the evaluated lists.
    seed: seed of the sampler and of each fit.
    trials: all trials in order; trials of an interrupted search are not repeated.
    on_trial: called after each trial.
    max_trial_seconds: duration of the longest trial so far.
    """

    spec: ModelSpec
    search_split: Split
    held_out_split: Split
    k: int
    seed: int
    trials: list[TrialRecord]
    on_trial: Callable[[], None]
    max_trial_seconds: float = 0.0
    _fitted_parameters: ParameterValues = field(default_factory=dict, init=False)
    _fitted_model: Recommender[Any] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.inference_space, self.training_space = get_search_spaces(type(self.spec.config))

    def run_search(
        self,
        previous: Mapping[str, Any],
        *,
        max_trials: int,
        deadline: float,
    ) -> None:
        """Evaluates the defaults, the `previous` hyper-parameters, then sampled ones in two stages.

        The first stage varies the parameters of inference with one fitted model, the second those of training. The
        defaults are always evaluated.

        Args:
            previous: hyper-parameters that an earlier search found; invalid ones are ignored.
            max_trials: trials of each stage.
            deadline: in seconds of `time.perf_counter`; no trial starts that would probably end after it.

        Raises:
            InsufficientDataError: the model cannot be fitted with its defaults.
        """
        if not self.trials:
            self._evaluate_trial("defaults", {}, None)
        previous_overrides = filter_valid_overrides(type(self.spec.config), previous)
        if previous_overrides and not self._list_trials("previous") and not self._is_late(deadline):
            self._evaluate_trial("previous", previous_overrides, None)
        if self.inference_space:
            self._sample_trials(
                "inference",
                self.inference_space,
                max_trials=max_trials,
                deadline=deadline,
            )
        if self.training_space:
            self._sample_trials(
                "training",
                self.training_space,
                max_trials=max_trials,
                deadline=deadline,
            )

    def find_best_trial(self) -> TrialRecord:
        """The trial with the highest nDCG on the search half; the first one of equal trials."""
        completed = [trial for trial in self.trials if not trial["pruned"]]
        return max(completed, key=lambda trial: trial["ndcg"])

    def select_trial(self) -> TrialRecord:
        """The best trial if it is better than the defaults on the held-out half as well; else the defaults."""
        best, default = self.find_best_trial(), self.trials[0]
        if (best["held_out_ndcg"] or 0.0) > (default["held_out_ndcg"] or 0.0):
            return best
        return default

    def _list_trials(self, stage: TrialStage) -> list[TrialRecord]:
        return [trial for trial in self.trials if trial["stage"] == stage]

    def _is_late(self, deadline: float) -> bool:
        """Whether a trial as long as the longest one would end after the deadline."""
        return time.perf_counter() + self.max_trial_seconds > deadline

    def _sample_trials(
        self,
        stage: TrialStage,
        space: SearchSpace,
        *,
        max_trials: int,
        deadline: float,
    ) -> None:
        stage_trials = self._list_trials(stage)
        base = dict(self.find_best_trial()["overrides"])
        study = optuna.create_study(
            direction="maximize",
            # A resumed search must not draw the same configurations again.
            sampler=optuna.samplers.TPESampler(
                seed=self.seed + len(stage_trials), n_startup_trials=WARMUP_TRIALS
            ),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=WARMUP_TRIALS, n_warmup_steps=1),
        )
        distributions = {name: _build_distribution(parameter) for name, parameter in space.items()}
        self._add_known_trial(study, space, distributions, self.find_best_trial())
        for trial in stage_trials:
            if not trial["pruned"]:
                self._add_known_trial(study, space, distributions, trial)
        for _ in range(len(stage_trials), max_trials):
            if self._is_late(deadline):
                return
            optuna_trial = study.ask(distributions)
            trial = self._evaluate_trial(stage, base | optuna_trial.params, optuna_trial)
            if trial["pruned"]:
                study.tell(optuna_trial, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(optuna_trial, trial["ndcg"])

    def _add_known_trial(
        self,
        study: optuna.Study,
        space: SearchSpace,
        distributions: dict[str, optuna.distributions.BaseDistribution],
        trial: TrialRecord,
    ) -> None:
        """Adds a completed trial to the study, unless one of its values is outside the space."""
        parameters = {}
        for name in space:
            parameters[name] = trial["overrides"].get(name, getattr(self.spec.config, name))
            if not space[name].contains(parameters[name]):
                return
        study.add_trial(
            optuna.trial.create_trial(
                params=parameters,
                distributions=distributions,
                value=trial["ndcg"],
            )
        )

    def _evaluate_trial(
        self, stage: TrialStage, overrides: ParameterValues, optuna_trial: optuna.Trial | None
    ) -> TrialRecord:
        started = time.perf_counter()
        trial: TrialRecord = {
            "stage": stage,
            "overrides": overrides,
            "pruned": False,
            "held_out_ndcg": None,
        }
        try:
            model = self._get_fitted_model(overrides)
            trial["ndcg"] = evaluate_ndcg(model, self.search_split, self.k, optuna_trial)
            if not self.trials or trial["ndcg"] > self.find_best_trial()["ndcg"]:
                trial["held_out_ndcg"] = evaluate_ndcg(model, self.held_out_split, self.k, None)
        except optuna.TrialPruned:
            trial["pruned"] = True
        except InsufficientDataError:
            # Hyper-parameters may leave no data to learn from; with the defaults it is an error of the data.
            if not self.trials:
                raise
            trial["pruned"] = True
        self.max_trial_seconds = max(self.max_trial_seconds, time.perf_counter() - started)
        self.trials.append(trial)
        self.on_trial()
        return trial

    def _get_fitted_model(self, overrides: ParameterValues) -> Recommender[Any]:
        """A model with these hyper-parameters; the last one is reused where only parameters of inference differ."""
        training_parameters = {}
        for name, value in overrides.items():
            if name not in self.inference_space:
                training_parameters[name] = value
        if self._fitted_model is None or self._fitted_parameters != training_parameters:
            # Released before the next fit, which needs the memory.
            self._fitted_model = None
            model = self.spec.with_overrides(overrides).build()
            model.fit(self.search_split.train, np.random.default_rng(self.seed))
            self._fitted_parameters, self._fitted_model = training_parameters, model
        # The fitted model reads the parameters of inference from its configuration.
        self._fitted_model.config = replace(self.spec.config, **overrides)
        return self._fitted_model


def evaluate_ndcg(
    model: Recommender[Any],
    split: Split,
    k: int,
    optuna_trial: optuna.Trial | None,
) -> float:
    """Mean nDCG@k over the cases, 0 without cases.

    With `optuna_trial`, the mean so far is reported after each batch, and optuna.TrialPruned is raised where the pruner
    stops the trial.
    """
    n_items = split.train.n_items
    histories = split.histories.drop_unknown_and_repeats(n_items)
    batch_size = min(BATCH_SIZE, choose_batch_size(n_items))
    total, n_cases = 0.0, 0
    for step, (rows, chunk) in enumerate(histories.iter_chunks(batch_size)):
        ranks = rank_targets(model.score(chunk), chunk, split.target[rows])
        total += float(ndcg_at_k(ranks, k).sum())
        n_cases += len(chunk)
        if optuna_trial is not None:
            optuna_trial.report(total / n_cases, step)
            if optuna_trial.should_prune():
                raise optuna.TrialPruned
    return total / n_cases if n_cases else 0.0


def _build_distribution(parameter_range: FloatRange | IntRange) -> optuna.distributions.BaseDistribution:
    low, high, log = parameter_range.low, parameter_range.high, parameter_range.log
    if isinstance(parameter_range, FloatRange):
        return optuna.distributions.FloatDistribution(low, high, log=log)
    return optuna.distributions.IntDistribution(int(low), int(high), log=log)
