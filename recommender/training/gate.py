"""Whether a new model may serve: judged on events it has not seen, over the full catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.popularity.popularity import Popularity
from recommender.dataset import Dataset, Split, leave_last_out, time_split
from recommender.evaluation.decisions.promotion_gate import (
    DecisionReason,
    GateConfig,
    GateInput,
    evaluate_gate,
)
from recommender.evaluation.evaluator import evaluate_scorer
from recommender.evaluation.metrics import ndcg_at_k
from recommender.evaluation.slices import SegmentColumns, build_case_slices
from recommender.registry.bundle import Bundle
from recommender.tenant_data.interactions import TrainingData
from recommender.types import BoolArray, Float32Array, Histories, Int32Array

K = 10
HELD_OUT_FRACTION = 0.1
MAX_CASES = 20_000  # bounds the time of judging; the interval is narrow long before
# Between these shares of all events since the live model's end, that end is where the split is made.
MIN_CUT_FRACTION, MAX_CUT_FRACTION = 0.02, 0.3
MIN_FAIR_CASES = 100
DEFAULT_GATE_CONFIG = GateConfig()


@dataclass(frozen=True, slots=True)
class GateResult:
    """No reasons: it may serve as trained. `metrics` are aggregates over cases."""

    reasons: tuple[DecisionReason, ...]
    metrics: Mapping[str, Any] = field(default_factory=dict)


def hold_out(
    dataset: Dataset,
    *,
    live_trained_until: datetime | None = None,
    max_cases: int = MAX_CASES,
    fraction: float = HELD_OUT_FRACTION,
) -> tuple[str, Split]:
    """The latest `share` of the events where times tell events apart and enough profiles went on afterwards, else each
    last event.

    The cut lies where the live model's knowledge ended, if enough came since: then the two can be compared.
    Cases whose item the profile had chosen before are dropped: serving never shows those.
    """
    if dataset.has_timestamps:
        for cut, least in (
            (_find_live_cut(dataset, live_trained_until), MIN_FAIR_CASES),
            (None, DEFAULT_GATE_CONFIG.min_cases),
        ):
            split = _select_unseen_targets(
                time_split(dataset, test_fraction=fraction, cutoff_ms=cut), max_cases
            )
            if len(split) >= least:
                return "time-split", split
    return "leave-last-out", _select_unseen_targets(leave_last_out(dataset), max_cases)


def evaluate_candidate(
    ensemble: Ensemble,
    split: Split,
    live: Bundle | None,
    item_no: NDArray[np.int32],
    *,
    live_is_fair: bool,
    segments: tuple[SegmentColumns, SegmentColumns] = ((), ()),
    config: GateConfig = DEFAULT_GATE_CONFIG,
) -> GateResult:
    """`item_no` names the split's items. The live model counts only if it had not learned from the cases.

    `labels` are groups of the split's users and of its items."""
    rng = np.random.default_rng(0)
    served = evaluate_scorer(ensemble.score, split, k=K)
    metrics: dict[str, Any] = {"k": K, "cases": len(split), "served": served.summarize_metrics(rng)}
    if len(split) < config.min_cases:
        return GateResult((create_few_cases_reason(len(split), config),), metrics)
    bar = evaluate_scorer(ensemble.models[Popularity.name].score, split, k=K)
    metrics["popularity"] = bar.summarize_metrics(rng)
    theirs = evaluate_scorer(_build_aligned_scorer(live, item_no), split, k=K) if live is not None else None
    if theirs is not None:
        metrics["live"] = {**theirs.summarize_metrics(rng), "fair": live_is_fair}
    case = GateInput(
        candidate=ndcg_at_k(served.collect_ranks(), K),
        popularity=ndcg_at_k(bar.collect_ranks(), K),
        live=ndcg_at_k(theirs.collect_ranks(), K) if theirs is not None and live_is_fair else None,
        slices=build_case_slices(split, *segments),
    )
    judgement = evaluate_gate(case, rng, config, k=K)
    return GateResult(judgement.reasons, {**metrics, "gate": dict(judgement.metrics)})


def build_gate_config(training_data: TrainingData) -> GateConfig:
    """The gate's for this tenant: what the settings ask for, and no slice smaller than its least group."""
    return replace(
        DEFAULT_GATE_CONFIG,
        min_gain=settings.LEPTON_GATE_MIN_GAIN_PERCENT / 100,
        min_slice_cases=max(DEFAULT_GATE_CONFIG.min_slice_cases, training_data.min_group_size),
    )


def create_few_cases_reason(n_cases: int, config: GateConfig = DEFAULT_GATE_CONFIG) -> DecisionReason:
    return DecisionReason("few_cases", {"cases": n_cases, "min_cases": config.min_cases})


def _find_live_cut(dataset: Dataset, trained_until: datetime | None) -> int | None:
    """The millisecond after `moment` if a fair share of the events came later; None for the usual cut."""
    if trained_until is None:
        return None
    cut = to_milliseconds(trained_until) + 1
    share = float((dataset.timestamp >= cut).mean())
    return cut if MIN_CUT_FRACTION <= share <= MAX_CUT_FRACTION else None


def is_fair_comparison(trained_until: datetime | None, dataset: Dataset, split: Split) -> bool:
    """Whether a model that knew everything until `moment` knew no hidden event of this split by time."""
    hidden = dataset.timestamp[dataset.timestamp > split.train.timestamp.max(initial=-1)]
    return (
        trained_until is not None and hidden.size > 0 and to_milliseconds(trained_until) < int(hidden.min())
    )


def to_milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _select_unseen_targets(split: Split, max_cases: int) -> Split:
    """At most `most_cases` cases, evenly chosen, whose target is not in their history."""
    owners = split.histories.row_ids()
    repeated = np.zeros(len(split), dtype=bool)
    repeated[owners[split.histories.item == split.target[owners]]] = True
    rows = np.flatnonzero(~repeated)
    if rows.size > max_cases:
        rows = rows[np.linspace(0, rows.size - 1, max_cases).astype(np.int64)]
    return split.take(rows)


def _build_aligned_scorer(live: Bundle, item_no: NDArray[np.int32]) -> Callable[[Histories], Float32Array]:
    """The live model's scores in the columns of the new one; items it does not know come last."""
    column = _find_positions(live.item_numbers, item_no)
    known: BoolArray = column >= 0

    def score(histories: Histories) -> Float32Array:
        own = Histories(histories.indptr, column[histories.item], histories.weight)
        scores = live.ensemble.score(own)
        out = np.full((len(histories), item_no.size), -np.inf, dtype=np.float32)
        out[:, known] = scores[:, column[known]]
        return out

    return score


def _find_positions(reference_numbers: NDArray[np.int32], numbers: NDArray[np.int32]) -> Int32Array:
    """For each wanted number its index in `known`, -1 for none."""
    table = np.full(
        int(max(reference_numbers.max(initial=0), numbers.max(initial=0))) + 1, -1, dtype=np.int32
    )
    table[reference_numbers] = np.arange(reference_numbers.size, dtype=np.int32)
    return table[numbers]
