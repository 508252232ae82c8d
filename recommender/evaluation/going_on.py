"""A model that was served goes on from where it was: new events, new items, its settings. Training processes only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from recommender.algorithms.base import Recommender
from recommender.algorithms.ease import Ease
from recommender.algorithms.ensemble import Ensemble
from recommender.algorithms.popularity import Popularity
from recommender.algorithms.sequence import NextItemScorer
from recommender.algorithms.sequence_training import NextItemTrainer
from recommender.dataset import Dataset, Protocol
from recommender.dataset.splits import SPLITS
from recommender.evaluation.compression import compressed
from recommender.evaluation.fit import Progress, fit_ensemble
from recommender.evaluation.measure import measure_blend
from recommender.evaluation.metrics import bootstrap, gains
from recommender.evaluation.profiles import SHARES, Profile, new_members
from recommender.types import CannotFit, DataError, Ints, Report, silent

Members = Mapping[str, Recommender[Any]]


def continued(
    live: Ensemble, place: Ints, *, profile: Profile, progress: Progress, rng: np.random.Generator
) -> dict[str, Recommender[Any]] | None:
    """The members in use as members that can learn; item i of today was the live model's place[i] (-1: it was not there).

    Those that count start anew, networks from what they know. EASE is solved item by item: a dense inverse would cost as
    much as in a full training. Popularity comes along as the bar to clear. None where a network cannot go on."""
    weights = live.blend.weights
    used = [name for name in live.members if weights.get(name) or name == Popularity.name]
    members = {}
    for name, make in new_members(profile, progress.within, used).items():
        former, member = live.members[name], make()
        member.config = former.config
        if isinstance(member, Ease):
            member.config = replace(former.config, dense_items=0)
        if isinstance(member, NextItemTrainer) and not (
            isinstance(former, NextItemScorer) and member.adopt(former, place, rng)
        ):
            return None
        members[name] = member
    return members


def learn(members: Members, data: Dataset, *, progress: Progress, rng: np.random.Generator) -> bool:
    """False where a member cannot learn from what there is now."""
    progress.total, progress.done, progress.effort = sum(SHARES[name] for name in members), 0.0, 0.0
    for name, member in members.items():
        progress.enter(name, SHARES[name])
        try:
            member.refit(data, rng)
        except CannotFit:
            return False
    return True


def compare(
    dataset: Dataset,
    *,
    protocol: Protocol,
    profile: Profile,
    k: int = 10,
    seed: int = 0,
    report: Report = silent,
) -> dict[str, Any]:
    """Figures on the test events: of a model that served before the latest events, of the same model refreshed with
    them, and of a full training; with seconds, and the paired 95% interval of refreshed over full.

    Raises DataError where there is nothing to compare."""
    split = SPLITS[protocol](dataset)
    before = SPLITS[protocol](split.train).train if split.train.events else split.train
    if not len(split) or not 0 < before.events < split.train.events:
        raise DataError("There are too few events to hide some of them twice.")
    models: dict[str, Ensemble] = {}
    seconds: dict[str, float] = {}
    for name, data in (("live", before), ("full", split.train)):
        started = time.perf_counter()
        made = fit_ensemble(
            data, profile=profile, rng=np.random.default_rng(seed), report=report, validation=protocol, k=k
        )
        models[name], seconds[name] = compressed(made), time.perf_counter() - started
    started = time.perf_counter()
    models["refreshed"] = _refreshed(models["live"], split.train, profile, seed, report)
    seconds["refreshed"] = time.perf_counter() - started
    found = {
        name: gains(measure_blend(one.members, one.blend, split, k=k)["blend"].all_ranks(), k)
        for name, one in models.items()
    }
    rng = np.random.default_rng(seed)
    gap = bootstrap(found["refreshed"] - found["full"], rng)
    return {
        "cases": len(split),
        "new_events": split.train.events - before.events,
        f"ndcg@{k}": {name: float(gain.mean()) for name, gain in found.items()},
        "refreshed_over_full": [gap.mean, gap.low, gap.high],
        "seconds": seconds,
    }


def _refreshed(live: Ensemble, data: Dataset, profile: Profile, seed: int, report: Report) -> Ensemble:
    rng, progress = np.random.default_rng(seed), Progress(report)
    place = np.arange(live.items, dtype=np.int32)
    members = continued(live, place, profile=profile, progress=progress, rng=rng)
    if members is None or not learn(members, data, progress=progress, rng=rng):
        raise DataError("The model cannot go on from where it was.")
    return compressed(Ensemble(members, live.blend, live.items, live.card))
