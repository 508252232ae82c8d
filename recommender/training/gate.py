"""Whether a new model may serve: judged on events it has not seen, over the full catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from recommender.algorithms.ensemble import Ensemble
from recommender.algorithms.popularity import Popularity
from recommender.dataset import Dataset, Split, leave_last_out, time_split
from recommender.evaluation.measure import measure
from recommender.evaluation.metrics import gains
from recommender.evaluation.slices import Labels, case_slices
from recommender.evaluation.verdicts import Case, GateConfig, Reason, weigh
from recommender.registry.bundle import Bundle
from recommender.sources import Source
from recommender.types import Bools, Floats, Histories, Ints

K = 10
HIDDEN_SHARE = 0.1
MOST_CASES = 20_000  # bounds the time of judging; the interval is narrow long before
# Between these shares of all events since the live model's end, that end is where the split is made.
LEAST_SHARE, MOST_SHARE = 0.02, 0.3
LEAST_FAIR_CASES = 100
CONFIG = GateConfig()


@dataclass(frozen=True, slots=True)
class Verdict:
    """No reasons: it may serve as trained. `metrics` are aggregates over cases."""

    reasons: tuple[Reason, ...]
    metrics: Mapping[str, Any] = field(default_factory=dict)


def hold_out(
    dataset: Dataset,
    *,
    live_until: datetime | None = None,
    most_cases: int = MOST_CASES,
    share: float = HIDDEN_SHARE,
) -> tuple[str, Split]:
    """The latest `share` of the events where times tell events apart and enough profiles went on afterwards, else each
    last event.

    The cut lies where the live model's knowledge ended, if enough came since: then the two can be compared.
    Cases whose item the profile had chosen before are dropped: serving never shows those.
    """
    if dataset.timed:
        for cut, least in ((_after(dataset, live_until), LEAST_FAIR_CASES), (None, CONFIG.least_cases)):
            split = _unseen_targets(time_split(dataset, share=share, cut=cut), most_cases)
            if len(split) >= least:
                return "time-split", split
    return "leave-last-out", _unseen_targets(leave_last_out(dataset), most_cases)


def judge(
    ensemble: Ensemble,
    split: Split,
    live: Bundle | None,
    item_no: NDArray[np.int32],
    *,
    live_is_fair: bool,
    labels: tuple[Labels, Labels] = ((), ()),
    config: GateConfig = CONFIG,
) -> Verdict:
    """`item_no` names the split's items. The live model counts only if it had not learned from the cases.

    `labels` are groups of the split's users and of its items."""
    rng = np.random.default_rng(0)
    served = measure(ensemble.score, split, k=K)
    metrics: dict[str, Any] = {"k": K, "cases": len(split), "served": served.summary(rng)}
    if len(split) < config.least_cases:
        return Verdict((too_few(len(split), config),), metrics)
    bar = measure(ensemble.members[Popularity.name].score, split, k=K)
    metrics["popularity"] = bar.summary(rng)
    theirs = measure(_over_items(live, item_no), split, k=K) if live is not None else None
    if theirs is not None:
        metrics["live"] = {**theirs.summary(rng), "fair": live_is_fair}
    case = Case(
        ours=gains(served.all_ranks(), K),
        popularity=gains(bar.all_ranks(), K),
        live=gains(theirs.all_ranks(), K) if theirs is not None and live_is_fair else None,
        slices=case_slices(split, *labels),
    )
    judgement = weigh(case, rng, config, k=K)
    return Verdict(judgement.reasons, {**metrics, "judgement": dict(judgement.figures)})


def config(source: Source) -> GateConfig:
    """The gate's for this tenant: what the settings ask for, and no slice smaller than its least group."""
    return replace(
        CONFIG,
        least_gain=settings.LEPTON_GATE_LEAST_GAIN_PERCENT / 100,
        least_slice=max(CONFIG.least_slice, source.least_group),
    )


def too_few(cases: int, config: GateConfig = CONFIG) -> Reason:
    return Reason("few_cases", {"cases": cases, "needed": config.least_cases})


def _after(dataset: Dataset, moment: datetime | None) -> int | None:
    """The millisecond after `moment` if a fair share of the events came later; None for the usual cut."""
    if moment is None:
        return None
    cut = milliseconds(moment) + 1
    share = float((dataset.at >= cut).mean())
    return cut if LEAST_SHARE <= share <= MOST_SHARE else None


def knew_nothing_hidden(moment: datetime | None, dataset: Dataset, split: Split) -> bool:
    """Whether a model that knew everything until `moment` knew no hidden event of this split by time."""
    hidden = dataset.at[dataset.at > split.train.at.max(initial=-1)]
    return moment is not None and hidden.size > 0 and milliseconds(moment) < int(hidden.min())


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _unseen_targets(split: Split, most_cases: int) -> Split:
    """At most `most_cases` cases, evenly chosen, whose target is not in their history."""
    owners = split.histories.owners()
    repeated = np.zeros(len(split), dtype=bool)
    repeated[owners[split.histories.item == split.target[owners]]] = True
    rows = np.flatnonzero(~repeated)
    if rows.size > most_cases:
        rows = rows[np.linspace(0, rows.size - 1, most_cases).astype(np.int64)]
    return Split(split.train, split.histories.take(rows), split.target[rows], split.user[rows])


def _over_items(live: Bundle, item_no: NDArray[np.int32]) -> Callable[[Histories], Floats]:
    """The live model's scores in the columns of the new one; items it does not know come last."""
    column = _positions(live.item_no, item_no)
    known: Bools = column >= 0

    def score(histories: Histories) -> Floats:
        own = Histories(histories.indptr, column[histories.item], histories.weight)
        scores = live.ensemble.score(own)
        out = np.full((len(histories), item_no.size), -np.inf, dtype=np.float32)
        out[:, known] = scores[:, column[known]]
        return out

    return score


def _positions(known: NDArray[np.int32], wanted: NDArray[np.int32]) -> Ints:
    """For each wanted number its index in `known`, -1 for none."""
    table = np.full(int(max(known.max(initial=0), wanted.max(initial=0))) + 1, -1, dtype=np.int32)
    table[known] = np.arange(known.size, dtype=np.int32)
    return table[wanted]
