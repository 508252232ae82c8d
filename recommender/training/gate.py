"""Whether a new model may serve: better than popularity, beyond chance, on events it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.algorithms.ensemble import Ensemble
from recommender.algorithms.popularity import Popularity
from recommender.dataset import Dataset, Split, leave_last_out, time_split
from recommender.evaluation.measure import Tally, rows_at_once
from recommender.evaluation.metrics import beats, gains
from recommender.registry.bundle import Bundle
from recommender.types import Bools, Floats, Histories, Ints

K = 10
LEAST_CASES = 20
HIDDEN_SHARE = 0.1
MOST_CASES = 20_000  # bounds the time of judging; the interval is narrow long before


@dataclass(frozen=True, slots=True)
class Verdict:
    """`refusal` is empty, or one sentence for the tenant. `metrics` are aggregates over cases."""

    refusal: str
    metrics: Mapping[str, Any] = field(default_factory=dict)


def hold_out(
    dataset: Dataset, *, most_cases: int = MOST_CASES, share: float = HIDDEN_SHARE
) -> tuple[str, Split]:
    """The latest `share` of the events by time where times tell events apart and enough profiles went on afterwards, else each last event.

    Cases whose item the profile had chosen before are dropped: serving never shows those.
    """
    if dataset.timed:
        split = _unseen_targets(time_split(dataset, share=share), most_cases)
        if len(split) >= LEAST_CASES:
            return "time-split", split
    return "leave-last-out", _unseen_targets(leave_last_out(dataset), most_cases)


def judge(
    ensemble: Ensemble, split: Split, live: Bundle | None, item_no: NDArray[np.int32], *, live_is_fair: bool
) -> Verdict:
    """`item_no` names the split's items. The live model counts only if it had not learned from the cases."""
    rng = np.random.default_rng(0)
    served = _asked(ensemble.score, split)
    metrics: dict[str, Any] = {"k": K, "cases": len(split), "served": served.summary(rng)}
    ours = gains(served.all_ranks(), K)
    if len(split) < LEAST_CASES:
        return Verdict(too_few(len(split)), metrics)
    bar = _asked(ensemble.members[Popularity.name].score, split)
    metrics["popularity"] = bar.summary(rng)
    if live is not None:
        theirs = _asked(_over_items(live, item_no), split)
        metrics["live"] = {**theirs.summary(rng), "fair": live_is_fair}
        if live_is_fair and beats(gains(theirs.all_ranks(), K), ours, rng):
            return Verdict(_worse("the model in service", metrics, "live"), metrics)
    if not beats(ours, gains(bar.all_ranks(), K), rng):
        return Verdict(_worse("popularity", metrics, "popularity"), metrics)
    return Verdict("", metrics)


def too_few(cases: int) -> str:
    return f"Only {cases} profiles can be asked about; {LEAST_CASES} are needed to judge."


def _asked(score: Callable[[Histories], Floats], split: Split) -> Tally:
    """Every case, in bounded memory."""
    tally = Tally(split.train.items, K)
    items = split.train.items
    for rows, part in split.histories.known(items).split(rows_at_once(items)):
        tally.add(score(part), part, split.target[rows])
    return tally


def _worse(than: str, metrics: Mapping[str, Any], name: str) -> str:
    ours, theirs = metrics["served"][f"ndcg@{K}"], metrics[name][f"ndcg@{K}"]
    return f"Not better than {than} beyond chance: nDCG@{K} {ours:.4f} against {theirs:.4f}."


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
