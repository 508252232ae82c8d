"""The model in service goes on from where it was: new events, new items, the blend and the settings it has."""

from __future__ import annotations

import time
from datetime import datetime

import numpy as np

from recommender.algorithms.ensemble import Ensemble
from recommender.dataset import Dataset, Split
from recommender.evaluation.fit import Progress
from recommender.evaluation.going_on import continued, learn
from recommender.evaluation.profiles import EFFORTS, Profile
from recommender.registry.bundle import Bundle
from recommender.training import gate
from recommender.training.describing import Described
from recommender.training.gate import Verdict
from recommender.training.progress import Watch
from recommender.types import Ints


def refreshed(
    live: Bundle, until: datetime, known: Described, *, profile: Profile, watch: Watch
) -> tuple[Ensemble, Verdict] | None:
    """The live model with what happened since `until`, judged by the later half of that, then taught everything.

    Members that count are counted again; networks go on for a few rounds; EASE is solved item by item. The blend stays.
    None where that cannot be done soundly, and a full training is due instead: too few new cases to judge by, events
    without times, a member of an older version, or one that can no longer learn."""
    source = known.source
    split = _new_cases(source.dataset, until, EFFORTS[profile].most_cases)
    if split is None:
        return None
    started = time.perf_counter()
    rng = np.random.default_rng(0)
    watch.enter("learning", low=20, high=60)
    progress = Progress(watch.report)
    place = places(live.item_no, source.item_no)
    members = continued(live.ensemble, place, profile=profile, progress=progress, rng=rng)
    if members is None or not learn(members, known.past(split.train), progress=progress, rng=rng):
        return None
    card = {**live.ensemble.card, "seconds": {}, "left_out": {}}
    ensemble = Ensemble(members, live.ensemble.blend, source.dataset.items, card, live.ensemble.ranker)
    watch.enter("evaluating", low=60, high=70)
    verdict = gate.judge(
        ensemble,
        split,
        live,
        source.item_no,
        live_is_fair=True,
        labels=(source.labels, source.item_labels),
        config=gate.config(source),
    )
    watch.enter("learning from everything", low=70, high=93)
    if not learn(members, known.everything, progress=progress, rng=rng):
        return None
    card["seconds"] = {"refresh": time.perf_counter() - started}
    return ensemble, Verdict(verdict.reasons, {"protocol": "time-split", **verdict.metrics})


def _new_cases(dataset: Dataset, until: datetime, most_cases: int) -> Split | None:
    """The later half of the events after `until` is hidden: the live model has learned none of it."""
    new = dataset.at > int(until.timestamp() * 1000)
    if not dataset.timed or not new.any() or new.all():
        return None
    share = float(new.mean()) / 2
    protocol, split = gate.hold_out(dataset, most_cases=most_cases, share=share)
    return split if protocol == "time-split" else None


def places(known: Ints, wanted: Ints) -> Ints:
    """For each number of `wanted` its place in `known`, which ascends; -1 for none."""
    if not len(known):
        return np.full(len(wanted), -1, np.int32)
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[place] == wanted, place, -1).astype(np.int32)
