"""Better settings for the members of one data set, found on validation events within a budget. Training processes only."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.common.search_space import get_search_spaces
from recommender.algorithms.ensemble.registry import RELATIVE_COST
from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.dataset import Split
from recommender.evaluation.evaluator import evaluate_blend, evaluate_models
from recommender.evaluation.metrics import ndcg_at_k
from recommender.fitting.blend_weights import CandidateScores, fit_blend
from recommender.fitting.training_profiles import (
    NO_OVERRIDES,
    ModelFactories,
    ModelFactory,
    ParameterOverrides,
    TrainingProfileName,
    apply_overrides,
    build_model_factories,
)
from recommender.tuning.model_search import ModelSearch, ParameterValues, TrialRecord
from recommender.types import DataError, InsufficientDataError, ProgressCallback, ignore_progress

MAX_CASES = 6_000


@dataclass(frozen=True)
class TuningBudget:
    """seconds for everything; trials of each member in each of its two stages."""

    seconds: float
    trials: int

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.trials > 0):
            raise DataError("A budget for tuning has more than zero seconds and at least one trial.")


@dataclass
class SearchLog:
    """What has been tried, as JSON, so that a run that was broken off goes on. `keep` hears of every trial.

    `data` tells whether it is about the same events: figures on others cannot be compared."""

    data_description: str = ""
    spent_seconds: float = 0.0
    trials_by_model: dict[str, list[TrialRecord]] = field(default_factory=dict)
    on_trial: Callable[[Mapping[str, Any]], None] = lambda _state: None

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Mapping[str, Any], on_trial: Callable[[Mapping[str, Any]], None]
    ) -> SearchLog:
        return cls(
            data_description=str(checkpoint.get("data", "")),
            spent_seconds=float(checkpoint.get("spent", 0.0)),
            trials_by_model={
                name: list(trials) for name, trials in (checkpoint.get("members") or {}).items()
            },
            on_trial=on_trial,
        )

    def reset_if_other_data(self, split: Split) -> None:
        """Forgets what was tried on other data."""
        data = f"{split.train.describe_size()}, {len(split):,} cases"
        if self.data_description != data:
            self.data_description, self.spent_seconds, self.trials_by_model = data, 0.0, {}

    def to_checkpoint(self) -> dict[str, Any]:
        return {"data": self.data_description, "spent": self.spent_seconds, "members": self.trials_by_model}


@dataclass(frozen=True)
class TuningResult:
    """`changes` hold for the next fits; `card` says how they were found and what they gain."""

    overrides: dict[str, ParameterValues]
    report: dict[str, Any]


class _DeadlineExceeded(Exception):
    pass


def tune_models(  # noqa: PLR0913 - the choices of one search, all keyword-only
    split: Split,
    *,
    profile: TrainingProfileName,
    budget: TuningBudget,
    model_names: Sequence[str] = (),
    previous: ParameterOverrides = NO_OVERRIDES,
    seed: int = 0,
    k: int = 10,
    report: ProgressCallback = ignore_progress,
    log: SearchLog | None = None,
    backend: DistributedBackend | None = None,
) -> TuningResult:
    """Settings of the members named, or of the profile's, quickest member first.

    One half of the cases of `split` chooses, the other half must agree that the choice is above the defaults; at the
    end the blend of the changed members must be no worse on that half than that of the defaults, else they keep the
    defaults. `former` are settings found earlier, tried first; a member whose turn did not come keeps them. What `report`
    raises passes through."""
    log = log or SearchLog()
    log.reset_if_other_data(split)
    if len(split) < 2 or not split.train.n_events:
        return TuningResult({}, {"seconds": 0.0, "members": {}, "together": None})
    run = _TuningRun(split, budget, previous, seed, k, report, log)
    makers = build_model_factories(
        profile, run.report_progress, model_names, ordered=split.train.is_ordered, backend=backend
    )
    found = {
        name: search for name, make in makers.items() if (search := run.tune_model(name, make, len(makers)))
    }
    changes = {name: dict(search.select_trial()["changes"]) for name, search in found.items()}
    changes = {name: settings for name, settings in changes.items() if settings}
    together = run.compare_blends({name: makers[name] for name in found}, changes) if changes else None
    if together and together["tuned"] < together["defaults"]:
        changes = {}
    report("tuning", 1.0)
    told = {name: _summarize_search(search, changes.get(name, {})) for name, search in found.items()}
    # Whose turn did not come keeps what was found for it before.
    changes = {name: dict(settings) for name, settings in previous.items() if name not in found} | changes
    return TuningResult(changes, {"seconds": run.spent_seconds, "members": told, "together": together})


class _TuningRun:
    """The clock and the two halves of one search."""

    def __init__(
        self,
        split: Split,
        budget: TuningBudget,
        previous: ParameterOverrides,
        seed: int,
        k: int,
        report: ProgressCallback,
        log: SearchLog,
    ) -> None:
        rng = np.random.default_rng(seed)
        cases = split.sample_cases(MAX_CASES, rng)
        order = rng.permutation(len(cases))
        self.search_split, self.held_out_split = (
            _take_cases(cases, np.sort(part)) for part in np.array_split(order, 2)
        )
        self._budget, self._previous, self._seed, self._k = budget, previous, seed, k
        self._report, self._log = report, log
        self._started = time.perf_counter() - log.spent_seconds
        self._deadline_enforced = False
        self._reserved_seconds = 0.0
        # What a trial of a slower member takes, guessed from those before it.
        self._seconds_per_cost = 0.0
        self._n_started = 0

    @property
    def spent_seconds(self) -> float:
        return time.perf_counter() - self._started

    def report_progress(self, name: str, _fraction: float) -> None:
        """What the members report to: the clock may end a trial, and the caller everything."""
        self._report(f"tuning {name}", min(self.spent_seconds / self._budget.seconds, 1.0))
        if self._deadline_enforced and self.spent_seconds > self._budget.seconds:
            raise _DeadlineExceeded

    def tune_model(self, name: str, factory: ModelFactory, n_models: int) -> ModelSearch | None:
        """None where it has nothing to tune, cannot learn, or its turn comes after the end of the budget."""
        self._n_started += 1
        left = self._budget.seconds - self._reserved_seconds - self.spent_seconds
        if not any(get_search_spaces(factory().config_type)) or left <= max(
            self._seconds_per_cost * RELATIVE_COST[name], 0.0
        ):
            return None
        share = left / max(n_models - self._n_started + 1, 1)
        until = time.perf_counter() + share
        trials = self._log.trials_by_model.setdefault(name, [])
        search = ModelSearch(
            factory,
            self.search_split,
            self.held_out_split,
            self._k,
            self._seed,
            trials,
            self._make_trial_callback(name),
        )
        self._deadline_enforced = True
        try:
            search.run_search(self._previous.get(name, {}), max_trials=self._budget.trials, deadline=until)
        except (InsufficientDataError, _DeadlineExceeded):
            if not trials:
                return None
        finally:
            self._deadline_enforced = False
        self._seconds_per_cost = max(
            self._seconds_per_cost, search.max_trial_seconds / max(RELATIVE_COST[name], 0.1)
        )
        # Each member may be fitted twice more, to judge the blends.
        self._reserved_seconds += 2 * search.max_trial_seconds
        return search

    def _make_trial_callback(self, name: str) -> Callable[[], None]:
        def record_trial() -> None:
            self._log.spent_seconds = self.spent_seconds
            self._log.on_trial(self._log.to_checkpoint())
            self.report_progress(name, 0.0)

        return record_trial

    def compare_blends(self, factories: ModelFactories, overrides: ParameterOverrides) -> dict[str, float]:
        """nDCG@k on the held-out half of the members' blend, with defaults and tuned; weights from the other half."""
        same = self._fit_models({name: make for name, make in factories.items() if name not in overrides})
        tuned = {name: apply_overrides(factories[name], settings) for name, settings in overrides.items()}
        return {
            "defaults": self._evaluate_blend(
                same | self._fit_models({name: factories[name] for name in overrides})
            ),
            "tuned": self._evaluate_blend(same | self._fit_models(tuned)),
        }

    def _fit_models(self, factories: ModelFactories) -> dict[str, Recommender[Any]]:
        members = {name: make() for name, make in factories.items()}
        for name, member in members.items():
            member.fit(self.search_split.train, np.random.default_rng(self._seed))
            self.report_progress(name, 0.0)
        return members

    def _evaluate_blend(self, models: Mapping[str, Recommender[Any]]) -> float:
        rehearsal = CandidateScores(tuple(models))
        evaluate_models(models, self.search_split, k=self._k, candidate_scores=rehearsal)
        blend = fit_blend(rehearsal, k=self._k)
        tally = evaluate_blend(models, blend, self.held_out_split, k=self._k)["blend"]
        return float(ndcg_at_k(tally.collect_ranks(), self._k).mean())


def _take_cases(split: Split, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Split:
    return Split(split.train, split.histories.take_rows(rows), split.target[rows], split.user[rows])


def _summarize_search(search: ModelSearch, overrides: ParameterValues) -> dict[str, Any]:
    default, best = search.trials[0], search.find_best_trial()
    return {
        "trials": len(search.trials),
        "pruned": sum(trial["pruned"] for trial in search.trials),
        "settings": overrides,
        "ndcg": {"defaults": default["ndcg"], "best": best["ndcg"]},
        "held_out": {"defaults": default["held_out"], "best": best["held_out"]},
    }
