"""Better settings for the members of one data set, found on validation events within a budget. Training processes only."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.ranges import ranges_of
from recommender.dataset import Split
from recommender.evaluation.blending import Rehearsal, fit_blend
from recommender.evaluation.measure import measure_all, measure_blend
from recommender.evaluation.metrics import gains
from recommender.evaluation.profiles import (
    NO_CHANGES,
    SHARES,
    Changes,
    Make,
    Makers,
    Profile,
    new_members,
    with_changes,
)
from recommender.evaluation.trials import Search, Settings, Trial
from recommender.types import CannotFit, DataError, Report, silent

MOST_CASES = 6_000


@dataclass(frozen=True)
class Budget:
    """seconds for everything; trials of each member in each of its two stages."""

    seconds: float
    trials: int

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.trials > 0):
            raise DataError("A budget for tuning has more than zero seconds and at least one trial.")


@dataclass
class Log:
    """What has been tried, as JSON, so that a run that was broken off goes on. `keep` hears of every trial.

    `data` tells whether it is about the same events: figures on others cannot be compared."""

    data: str = ""
    spent: float = 0.0
    members: dict[str, list[Trial]] = field(default_factory=dict)
    keep: Callable[[Mapping[str, Any]], None] = lambda _state: None

    @classmethod
    def resumed(cls, state: Mapping[str, Any], keep: Callable[[Mapping[str, Any]], None]) -> Log:
        return cls(
            data=str(state.get("data", "")),
            spent=float(state.get("spent", 0.0)),
            members={name: list(trials) for name, trials in (state.get("members") or {}).items()},
            keep=keep,
        )

    def of(self, split: Split) -> None:
        """Forgets what was tried on other data."""
        data = f"{split.train.describe()}, {len(split):,} cases"
        if self.data != data:
            self.data, self.spent, self.members = data, 0.0, {}

    def state(self) -> dict[str, Any]:
        return {"data": self.data, "spent": self.spent, "members": self.members}


@dataclass(frozen=True)
class Tuning:
    """`changes` hold for the next fits; `card` says how they were found and what they gain."""

    changes: dict[str, Settings]
    card: dict[str, Any]


class _OutOfTime(Exception):
    pass


def tune(  # noqa: PLR0913 - the choices of one search, all keyword-only
    split: Split,
    *,
    profile: Profile,
    budget: Budget,
    members: Sequence[str] = (),
    former: Changes = NO_CHANGES,
    seed: int = 0,
    k: int = 10,
    report: Report = silent,
    log: Log | None = None,
) -> Tuning:
    """Settings of the members named, or of the profile's, quickest member first.

    One half of the cases of `split` chooses, the other half must agree that the choice is above the defaults; at the
    end the blend of the changed members must be no worse on that half than that of the defaults, else they keep the
    defaults. `former` are settings found earlier, tried first; a member whose turn did not come keeps them. What `report`
    raises passes through."""
    log = log or Log()
    log.of(split)
    if len(split) < 2 or not split.train.events:
        return Tuning({}, {"seconds": 0.0, "members": {}, "together": None})
    run = _Run(split, budget, former, seed, k, report, log)
    makers = new_members(profile, run.within, members, ordered=split.train.ordered)
    found = {name: search for name, make in makers.items() if (search := run.member(name, make, len(makers)))}
    changes = {name: dict(search.chosen()["changes"]) for name, search in found.items()}
    changes = {name: settings for name, settings in changes.items() if settings}
    together = run.together({name: makers[name] for name in found}, changes) if changes else None
    if together and together["tuned"] < together["defaults"]:
        changes = {}
    report("tuning", 1.0)
    told = {name: _told(search, changes.get(name, {})) for name, search in found.items()}
    # Whose turn did not come keeps what was found for it before.
    changes = {name: dict(settings) for name, settings in former.items() if name not in found} | changes
    return Tuning(changes, {"seconds": run.spent, "members": told, "together": together})


class _Run:
    """The clock and the two halves of one search."""

    def __init__(
        self, split: Split, budget: Budget, former: Changes, seed: int, k: int, report: Report, log: Log
    ) -> None:
        rng = np.random.default_rng(seed)
        cases = split.sample(MOST_CASES, rng)
        order = rng.permutation(len(cases))
        self.search, self.held_out = (_rows(cases, np.sort(part)) for part in np.array_split(order, 2))
        self._budget, self._former, self._seed, self._k = budget, former, seed, k
        self._report, self._log = report, log
        self._started = time.perf_counter() - log.spent
        self._strict = False
        self._reserve = 0.0
        # What a trial of a slower member takes, guessed from those before it.
        self._second_of_share = 0.0
        self._done = 0

    @property
    def spent(self) -> float:
        return time.perf_counter() - self._started

    def within(self, name: str, _fraction: float) -> None:
        """What the members report to: the clock may end a trial, and the caller everything."""
        self._report(f"tuning {name}", min(self.spent / self._budget.seconds, 1.0))
        if self._strict and self.spent > self._budget.seconds:
            raise _OutOfTime

    def member(self, name: str, make: Make, members: int) -> Search | None:
        """None where it has nothing to tune, cannot learn, or its turn comes after the end of the budget."""
        self._done += 1
        left = self._budget.seconds - self._reserve - self.spent
        if not any(ranges_of(make().config_type)) or left <= max(self._second_of_share * SHARES[name], 0.0):
            return None
        share = left / max(members - self._done + 1, 1)
        until = time.perf_counter() + share
        trials = self._log.members.setdefault(name, [])
        search = Search(make, self.search, self.held_out, self._k, self._seed, trials, self._keep(name))
        self._strict = True
        try:
            search.run(self._former.get(name, {}), most=self._budget.trials, until=until)
        except (CannotFit, _OutOfTime):
            if not trials:
                return None
        finally:
            self._strict = False
        self._second_of_share = max(self._second_of_share, search.longest / max(SHARES[name], 0.1))
        # Each member may be fitted twice more, to judge the blends.
        self._reserve += 2 * search.longest
        return search

    def _keep(self, name: str) -> Callable[[], None]:
        def kept() -> None:
            self._log.spent = self.spent
            self._log.keep(self._log.state())
            self.within(name, 0.0)

        return kept

    def together(self, makers: Makers, changes: Changes) -> dict[str, float]:
        """nDCG@k on the held-out half of the members' blend, with defaults and tuned; weights from the other half."""
        same = self._fitted({name: make for name, make in makers.items() if name not in changes})
        tuned = {name: with_changes(makers[name], settings) for name, settings in changes.items()}
        return {
            "defaults": self._blended(same | self._fitted({name: makers[name] for name in changes})),
            "tuned": self._blended(same | self._fitted(tuned)),
        }

    def _fitted(self, makers: Makers) -> dict[str, Recommender[Any]]:
        members = {name: make() for name, make in makers.items()}
        for name, member in members.items():
            member.fit(self.search.train, np.random.default_rng(self._seed))
            self.within(name, 0.0)
        return members

    def _blended(self, members: Mapping[str, Recommender[Any]]) -> float:
        rehearsal = Rehearsal(tuple(members))
        measure_all(members, self.search, k=self._k, rehearsal=rehearsal)
        blend = fit_blend(rehearsal, k=self._k)
        tally = measure_blend(members, blend, self.held_out, k=self._k)["blend"]
        return float(gains(tally.all_ranks(), self._k).mean())


def _rows(split: Split, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Split:
    return Split(split.train, split.histories.take(rows), split.target[rows], split.user[rows])


def _told(search: Search, kept: Settings) -> dict[str, Any]:
    default, best = search.trials[0], search.best()
    return {
        "trials": len(search.trials),
        "pruned": sum(trial["pruned"] for trial in search.trials),
        "settings": kept,
        "ndcg": {"defaults": default["ndcg"], "best": best["ndcg"]},
        "held_out": {"defaults": default["held_out"], "best": best["held_out"]},
    }
