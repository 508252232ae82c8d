"""One member's search: settings are drawn, tried on hidden events, and cut short where they fall behind. Loads optuna."""

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
from recommender.fitting.training_profiles import ModelFactory, apply_overrides
from recommender.types import Histories, InsufficientDataError

# Each study and each trial would say a line of its own on the standard error stream.
optuna.logging.set_verbosity(optuna.logging.WARNING)

BATCH_SIZE = 512
WARMUP_TRIALS = 4

ParameterValues = dict[str, Any]
TrialRecord = dict[str, Any]
"""`stage`, `changes` against the defaults, `ndcg`; `held_out` where it led when it was tried; `pruned`."""


@dataclass
class ModelSearch:
    """The trials of one member. `search` teaches; `held_out` confirms, and no trial is chosen by it.

    `trials` may hold those of a run that was broken off: they are not tried again."""

    factory: ModelFactory
    search_split: Split
    held_out_split: Split
    k: int
    seed: int
    trials: list[TrialRecord]
    on_trial: Callable[[], None]
    max_trial_seconds: float = 0.0
    _fitted_model: tuple[ParameterValues, Recommender[Any]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.default_config = self.factory().config
        self.inference_space, self.training_space = get_search_spaces(type(self.default_config))

    def run_search(self, previous: Mapping[str, Any], *, max_trials: int, deadline: float) -> None:
        """Tries the defaults, then `former` settings, then what is drawn: first how histories are read, with one fitted
        model, then how the member learns. At most `most` trials each, none that would probably end after `until`
        (time.perf_counter). The defaults are always tried. Raises CannotFit and what a report raises."""
        earlier = filter_valid_overrides(type(self.default_config), previous)
        if not self.trials:
            self._evaluate_trial("defaults", {}, None)
        if earlier and not any(trial["stage"] == "former" for trial in self.trials):
            self._evaluate_within_deadline("former", earlier, deadline)
        for stage, ranges in (("scoring", self.inference_space), ("learning", self.training_space)):
            if ranges:
                self._sample_trials(stage, ranges, max_trials=max_trials, deadline=deadline)

    def find_best_trial(self) -> TrialRecord:
        """The trial with the best search figure; of equal ones the first."""
        return max((one for one in self.trials if not one["pruned"]), key=lambda one: float(one["ndcg"]))

    def select_trial(self) -> TrialRecord:
        """The best one, if the held-out events agree that it is above the defaults; else the defaults."""
        best, default = self.find_best_trial(), self.trials[0]
        return best if best["held_out"] > default["held_out"] else default

    def _sample_trials(self, stage: str, space: SearchSpace, *, max_trials: int, deadline: float) -> None:
        mine = [trial for trial in self.trials if trial["stage"] == stage]
        base = dict(self.find_best_trial()["changes"])
        study = optuna.create_study(
            direction="maximize",
            # A run that goes on draws other settings than those it has tried.
            sampler=optuna.samplers.TPESampler(seed=self.seed + len(mine), n_startup_trials=WARMUP_TRIALS),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=WARMUP_TRIALS, n_warmup_steps=1),
        )
        spaces = {name: _build_distribution(one) for name, one in space.items()}
        for earlier in [self.find_best_trial(), *(trial for trial in mine if not trial["pruned"])]:
            settings = {
                name: earlier["changes"].get(name, getattr(self.default_config, name)) for name in space
            }
            if all(space[name].contains(value) for name, value in settings.items()):
                told = optuna.trial.create_trial(params=settings, distributions=spaces, value=earlier["ndcg"])
                study.add_trial(told)
        for _ in range(len(mine), max_trials):
            if time.perf_counter() + self.max_trial_seconds > deadline:
                return
            asked = study.ask(spaces)
            trial = self._evaluate_trial(stage, base | asked.params, asked)
            pruned = optuna.trial.TrialState.PRUNED
            study.tell(asked, state=pruned) if trial["pruned"] else study.tell(asked, trial["ndcg"])

    def _evaluate_within_deadline(self, stage: str, overrides: ParameterValues, deadline: float) -> None:
        if time.perf_counter() + self.max_trial_seconds <= deadline:
            self._evaluate_trial(stage, overrides, None)

    def _evaluate_trial(
        self, stage: str, overrides: ParameterValues, optuna_trial: optuna.Trial | None
    ) -> TrialRecord:
        started = time.perf_counter()
        trial: TrialRecord = {"stage": stage, "changes": overrides, "pruned": False, "held_out": None}
        try:
            model = self._get_fitted_model(overrides)
            trial["ndcg"] = evaluate_ndcg(model, self.search_split, self.k, optuna_trial)
            if not self.trials or trial["ndcg"] > float(self.find_best_trial()["ndcg"]):
                trial["held_out"] = evaluate_ndcg(model, self.held_out_split, self.k, None)
        except optuna.TrialPruned:
            trial["pruned"] = True
        except InsufficientDataError:
            # With the defaults it could learn; with these settings nothing is left to learn from.
            if not self.trials:
                raise
            trial["pruned"] = True
        self.max_trial_seconds = max(self.max_trial_seconds, time.perf_counter() - started)
        self.trials.append(trial)
        self.on_trial()
        return trial

    def _get_fitted_model(self, overrides: ParameterValues) -> Recommender[Any]:
        """Fitted with these settings; the last one is read anew where only its reading changes."""
        learned = {name: value for name, value in overrides.items() if name not in self.inference_space}
        if self._fitted_model is None or self._fitted_model[0] != learned:
            self._fitted_model = None
            model = apply_overrides(self.factory, overrides)()
            model.fit(self.search_split.train, np.random.default_rng(self.seed))
            self._fitted_model = learned, model
        model = self._fitted_model[1]
        model.config = replace(self.default_config, **overrides)
        return model


def evaluate_ndcg(model: Recommender[Any], split: Split, k: int, optuna_trial: optuna.Trial | None) -> float:
    """nDCG@k over the cases; with `asked` it may end in optuna.TrialPruned after some of them."""
    known = split.histories.drop_unknown_and_repeats(split.train.n_items)
    total, cases = 0.0, 0
    for step, (rows, part) in enumerate(
        known.iter_chunks(min(BATCH_SIZE, choose_batch_size(split.train.n_items)))
    ):
        total += float(ndcg_at_k(_rank_targets(model, part, split.target[rows]), k).sum())
        cases += len(part)
        if optuna_trial is not None:
            optuna_trial.report(total / cases, step)
            if optuna_trial.should_prune():
                raise optuna.TrialPruned
    return total / cases if cases else 0.0


def _rank_targets(model: Recommender[Any], histories: Histories, target: Any) -> Any:
    return rank_targets(model.score(histories), histories, target)


def _build_distribution(parameter_range: FloatRange | IntRange) -> optuna.distributions.BaseDistribution:
    if isinstance(parameter_range, FloatRange):
        return optuna.distributions.FloatDistribution(
            parameter_range.low, parameter_range.high, log=parameter_range.log
        )
    return optuna.distributions.IntDistribution(
        parameter_range.low, parameter_range.high, log=parameter_range.log
    )
