"""One member's search: settings are drawn, tried on hidden events, and cut short where they fall behind. Loads optuna."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import optuna

from recommender.algorithms.base import Recommender
from recommender.algorithms.ranges import Ranges, Real, Whole, ranges_of, sound
from recommender.dataset import Split
from recommender.evaluation.measure import rows_at_once
from recommender.evaluation.metrics import gains, rank_of_target
from recommender.evaluation.profiles import Make, with_changes
from recommender.types import CannotFit, Histories

# Each study and each trial would say a line of its own on the standard error stream.
optuna.logging.set_verbosity(optuna.logging.WARNING)

ROWS = 512
WARM_UP = 4

Settings = dict[str, Any]
Trial = dict[str, Any]
"""`stage`, `changes` against the defaults, `ndcg`; `held_out` where it led when it was tried; `pruned`."""


@dataclass
class Search:
    """The trials of one member. `search` teaches; `held_out` confirms, and no trial is chosen by it.

    `trials` may hold those of a run that was broken off: they are not tried again."""

    make: Make
    search: Split
    held_out: Split
    k: int
    seed: int
    trials: list[Trial]
    keep: Callable[[], None]
    longest: float = 0.0
    _fitted: tuple[Settings, Recommender[Any]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.default = self.make().config
        self.scoring, self.learning = ranges_of(type(self.default))

    def run(self, former: Mapping[str, Any], *, most: int, until: float) -> None:
        """Tries the defaults, then `former` settings, then what is drawn: first how histories are read, with one fitted
        model, then how the member learns. At most `most` trials each, none that would probably end after `until`
        (time.perf_counter). The defaults are always tried. Raises CannotFit and what a report raises."""
        earlier = sound(type(self.default), former)
        if not self.trials:
            self._try("defaults", {}, None)
        if earlier and not any(trial["stage"] == "former" for trial in self.trials):
            self._in_time("former", earlier, until)
        for stage, ranges in (("scoring", self.scoring), ("learning", self.learning)):
            if ranges:
                self._draw(stage, ranges, most=most, until=until)

    def best(self) -> Trial:
        """The trial with the best search figure; of equal ones the first."""
        return max((one for one in self.trials if not one["pruned"]), key=lambda one: float(one["ndcg"]))

    def chosen(self) -> Trial:
        """The best one, if the held-out events agree that it is above the defaults; else the defaults."""
        best, default = self.best(), self.trials[0]
        return best if best["held_out"] > default["held_out"] else default

    def _draw(self, stage: str, ranges: Ranges, *, most: int, until: float) -> None:
        mine = [trial for trial in self.trials if trial["stage"] == stage]
        base = dict(self.best()["changes"])
        study = optuna.create_study(
            direction="maximize",
            # A run that goes on draws other settings than those it has tried.
            sampler=optuna.samplers.TPESampler(seed=self.seed + len(mine), n_startup_trials=WARM_UP),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=WARM_UP, n_warmup_steps=1),
        )
        spaces = {name: _distribution(one) for name, one in ranges.items()}
        for earlier in [self.best(), *(trial for trial in mine if not trial["pruned"])]:
            settings = {name: earlier["changes"].get(name, getattr(self.default, name)) for name in ranges}
            if all(ranges[name].holds(value) for name, value in settings.items()):
                told = optuna.trial.create_trial(params=settings, distributions=spaces, value=earlier["ndcg"])
                study.add_trial(told)
        for _ in range(len(mine), most):
            if time.perf_counter() + self.longest > until:
                return
            asked = study.ask(spaces)
            trial = self._try(stage, base | asked.params, asked)
            pruned = optuna.trial.TrialState.PRUNED
            study.tell(asked, state=pruned) if trial["pruned"] else study.tell(asked, trial["ndcg"])

    def _in_time(self, stage: str, changes: Settings, until: float) -> None:
        if time.perf_counter() + self.longest <= until:
            self._try(stage, changes, None)

    def _try(self, stage: str, changes: Settings, asked: optuna.Trial | None) -> Trial:
        started = time.perf_counter()
        trial: Trial = {"stage": stage, "changes": changes, "pruned": False, "held_out": None}
        try:
            model = self._model(changes)
            trial["ndcg"] = mean_gain(model, self.search, self.k, asked)
            if not self.trials or trial["ndcg"] > float(self.best()["ndcg"]):
                trial["held_out"] = mean_gain(model, self.held_out, self.k, None)
        except optuna.TrialPruned:
            trial["pruned"] = True
        except CannotFit:
            # With the defaults it could learn; with these settings nothing is left to learn from.
            if not self.trials:
                raise
            trial["pruned"] = True
        self.longest = max(self.longest, time.perf_counter() - started)
        self.trials.append(trial)
        self.keep()
        return trial

    def _model(self, changes: Settings) -> Recommender[Any]:
        """Fitted with these settings; the last one is read anew where only its reading changes."""
        learned = {name: value for name, value in changes.items() if name not in self.scoring}
        if self._fitted is None or self._fitted[0] != learned:
            self._fitted = None
            model = with_changes(self.make, changes)()
            model.fit(self.search.train, np.random.default_rng(self.seed))
            self._fitted = learned, model
        model = self._fitted[1]
        model.config = replace(self.default, **changes)
        return model


def mean_gain(model: Recommender[Any], split: Split, k: int, asked: optuna.Trial | None) -> float:
    """nDCG@k over the cases; with `asked` it may end in optuna.TrialPruned after some of them."""
    known = split.histories.known(split.train.items)
    total, cases = 0.0, 0
    for step, (rows, part) in enumerate(known.split(min(ROWS, rows_at_once(split.train.items)))):
        total += float(gains(_ranks(model, part, split.target[rows]), k).sum())
        cases += len(part)
        if asked is not None:
            asked.report(total / cases, step)
            if asked.should_prune():
                raise optuna.TrialPruned
    return total / cases if cases else 0.0


def _ranks(model: Recommender[Any], part: Histories, target: Any) -> Any:
    return rank_of_target(model.score(part), part, target)


def _distribution(wanted: Real | Whole) -> optuna.distributions.BaseDistribution:
    if isinstance(wanted, Real):
        return optuna.distributions.FloatDistribution(wanted.low, wanted.high, log=wanted.log)
    return optuna.distributions.IntDistribution(wanted.low, wanted.high, log=wanted.log)
