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
from recommender.algorithms.blend import Blend
from recommender.algorithms.ensemble import Ensemble
from recommender.algorithms.ranker import Ranker
from recommender.dataset import Dataset, Protocol, Split
from recommender.dataset.splits import SPLITS
from recommender.evaluation import compression
from recommender.evaluation.blending import Rehearsal, equal_blend, fit_blend
from recommender.evaluation.choosing import choose_served
from recommender.evaluation.measure import measure_all, measure_blend
from recommender.evaluation.metrics import beats, gains
from recommender.evaluation.profiles import (
    EFFORTS,
    NO_CHANGES,
    SHARES,
    Changes,
    Makers,
    Profile,
    new_members,
    usual_members,
)
from recommender.evaluation.ranking_training import try_ranker
from recommender.types import CannotFit, DataError, Report, silent

Members = dict[str, Recommender[Any]]

# Below so many hidden cases by time the weights would learn who happened to be asked: each last event is hidden instead.
LEAST_CASES = 400


@dataclass
class Progress:
    """Turns the steps of a fit into one fraction of the whole that only rises."""

    report: Report
    total: float = 1.0
    done: float = 0.0
    phase: str = "start"
    effort: float = 0.0

    def enter(self, phase: str, effort: float) -> None:
        self.done += self.effort
        self.phase, self.effort = phase, effort
        self.within(phase, 0.0)

    def within(self, _step: str, fraction: float) -> None:
        """A Report for the step under way."""
        self.report(self.phase, min((self.done + self.effort * fraction) / self.total, 1.0))


Clock = Callable[[], float]


@dataclass
class Fitting:
    """What accumulates while fitting."""

    members: Members = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def fit_ensemble(  # noqa: PLR0913 - the choices of one fit, all keyword-only
    dataset: Dataset,
    *,
    profile: Profile = "full",
    members: Sequence[str] = (),
    rng: np.random.Generator,
    report: Report = silent,
    validation: Protocol = "leave-last-out",
    k: int = 10,
    again: bool = True,
    changes: Changes = NO_CHANGES,
    serving_ms: float = math.inf,
    clock: Clock = time.thread_time,
) -> Ensemble:
    """An ensemble that has learned from every event of `dataset`, with weights from hidden ones.

    Its members are those named, or the profile's and those of what the data has where none is; an unknown name is a
    DataError. `changes` are settings of members that differ from the profile's.
    A member that adds nothing to the blend, or costs more of `serving_ms` than it adds, has no weight in it.
    `clock` gives seconds of processor time: like chance, what members cost on this machine is an argument.
    Without `again` the members have not learned the hidden events, for a caller that refits them on more.
    `report` hears a phase name and the fraction of the whole work; what it raises passes through. A member
    that cannot learn from this data is left out and named in card["left_out"]. card["validation"] holds the
    figures on the hidden events, card["protocol"] how these were chosen: each last event where fewer than LEAST_CASES
    are asked by time. card["choice"] has the blend with and without each member, card["second_stage"] what the ranker
    adds, card["beats_popularity"] whether the paired 95% interval of the blend is above it.
    Raises DataError when there is nothing to learn from at all."""
    progress = Progress(report)
    names = members or usual_members(profile, dataset)
    makers = new_members(profile, progress.within, names, changes=changes, ordered=dataset.ordered)
    progress.total = 1.35 * sum(SHARES[name] for name in makers)
    fitting = Fitting()
    validation, split = _hidden(dataset, validation)
    split = split.sample(EFFORTS[profile].most_cases, rng)
    hidden = len(split) > 0 and split.train.events > 0
    _fit_members(split.train if hidden else dataset, makers, rng, progress, fitting)
    if not fitting.members:
        raise DataError("No algorithm can learn from this data: there are no events and no texts.")
    card: dict[str, Any] = {"profile": profile, "protocol": validation, "left_out": fitting.left_out}
    if hidden:
        progress.enter("blend", 0.05)
        blend, ranker, figures = _learn_blend(fitting.members, split, rng, k, serving_ms, clock)
        card |= figures
        card["compression"] = compression.choose(fitting.members, blend, split, k=k)
        if again:
            _refit_members(dataset, rng, progress, fitting)
    else:
        blend, ranker = equal_blend(tuple(fitting.members)), None
        card |= {"validation": None, "beats_popularity": False, "weights": dict(blend.weights)}
    card["notes"] = {name: member.note for name, member in fitting.members.items() if member.note}
    card["seconds"] = fitting.seconds
    report("done", 1.0)
    return Ensemble(fitting.members, blend, dataset.items, card, ranker)


def _hidden(dataset: Dataset, wanted: Protocol) -> tuple[Protocol, Split]:
    """Weights learned from a few dozen cases are chance: where few users went on after the cut, each last event of the
    same training data is hidden instead."""
    split = SPLITS[wanted](dataset)
    if len(split) >= LEAST_CASES:
        return wanted, split
    others = SPLITS["leave-last-out"](dataset)
    return ("leave-last-out", others) if len(others) > len(split) else (wanted, split)


def _fit_members(
    data: Dataset, makers: Makers, rng: np.random.Generator, progress: Progress, fitting: Fitting
) -> None:
    for name, make in makers.items():
        progress.enter(name, SHARES[name])
        started = time.perf_counter()
        member = make()
        try:
            member.fit(data, rng)
        except CannotFit as reason:
            fitting.left_out[name] = str(reason)
            continue
        fitting.members[name] = member
        fitting.seconds[name] = time.perf_counter() - started


def _refit_members(data: Dataset, rng: np.random.Generator, progress: Progress, fitting: Fitting) -> None:
    for name, member in fitting.members.items():
        progress.enter(f"{name} again", SHARES[name] * 0.3)
        started = time.perf_counter()
        member.refit(data, rng)
        fitting.seconds[name] += time.perf_counter() - started


def _learn_blend(
    members: Members, split: Split, rng: np.random.Generator, k: int, serving_ms: float, clock: Clock
) -> tuple[Blend, Ranker | None, Mapping[str, Any]]:
    rehearsal = Rehearsal(tuple(members))
    tallies = measure_all(members, split, k=k, rehearsal=rehearsal)
    milliseconds = _score_one_ms(members, split, clock)
    choice = choose_served(rehearsal, fit_blend(rehearsal, k=k), milliseconds, k=k, budget=serving_ms)
    trial = try_ranker(rehearsal, choice.blend, k=k, rng=rng)
    # The second stage is judged by held-out cases alone: these here it has seen.
    tallies |= measure_blend(members, choice.blend, split, k=k)
    ours = gains(tallies["blend"].all_ranks(), k)
    bar = gains(tallies["popularity"].all_ranks(), k) if "popularity" in tallies else np.zeros_like(ours)
    blend = Blend({name: choice.blend.weights.get(name, 0.0) for name in members})
    figures = {
        "validation": {name: tally.summary(rng) for name, tally in tallies.items()},
        "beats_popularity": beats(ours, bar, rng),
        "weights": dict(blend.weights),
        "choice": choice.to_json(),
        "second_stage": trial.to_json(),
        "score_one_ms": milliseconds,
    }
    return blend, trial.ranker, figures


def _score_one_ms(members: Members, split: Split, clock: Clock, asks: int = 50) -> dict[str, float]:
    """The median milliseconds of processor time that each member takes for one history."""
    histories = [split.histories.row(case) for case in range(min(asks, len(split)))]
    figures = {}
    for name, member in members.items():
        taken = []
        for history in histories:
            started = clock()
            member.score_one(history)
            taken.append(clock() - started)
        figures[name] = float(np.median(taken)) * 1000
    return figures
