"""Holds out events, evaluates a new model on them over the full catalogue, and applies the promotion gate.

The rule itself is `evaluation.decisions.promotion_gate.evaluate_gate`. In names and stored metrics `live` is the active
model, and `candidate` the new one.
"""

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
from recommender.tenant_data.item_positions import ItemPositions
from recommender.types import Float32Array, Histories

K = 10
HELD_OUT_FRACTION = 0.1
# Bounds the time of an evaluation; confidence intervals are narrow long before.
MAX_CASES = 20_000
# The split is made where the active model's training data ended if this fraction of all events came later.
MIN_CUT_FRACTION, MAX_CUT_FRACTION = 0.02, 0.3
MIN_FAIR_CASES = 100
DEFAULT_GATE_CONFIG = GateConfig()


@dataclass(
    frozen=True,
    slots=True,
)
class HeldOutEvents:
    """A split and how it was made: "time-split" or "leave-last-out"."""

    protocol: str
    split: Split


@dataclass(
    frozen=True,
    slots=True,
)
class GateMetrics:
    """Ranking metrics of the new model, the popularity baseline and the active model; `gate` holds the comparisons."""

    cases: int = 0
    candidate: Mapping[str, Any] = field(default_factory=dict)
    popularity: Mapping[str, Any] = field(default_factory=dict)
    live: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)


@dataclass(
    frozen=True,
    slots=True,
)
class GateResult:
    """The gate's decision. If `reasons` is empty, the model may serve as it was trained; `training.pipeline` handles a refusal."""

    reasons: tuple[DecisionReason, ...]
    metrics: GateMetrics = field(default_factory=GateMetrics)


def hold_out(
    dataset: Dataset,
    *,
    live_trained_until: datetime | None = None,
    max_cases: int = MAX_CASES,
    fraction: float = HELD_OUT_FRACTION,
) -> HeldOutEvents:
    """Chooses the test protocol and splits the data.

    If events have distinct timestamps and enough users have events after the cut, the latest events are held out (time split).
    Otherwise the last event of each user is held out (leave-last-out). Cases whose target is in the user's history are dropped,
    because serving never recommends those items.

    Args:
        dataset: the tenant's interactions.
        live_trained_until: the time of the newest event that the active model was trained on. The cut is made there if a suitable
            fraction of the events is newer, so that both models can be compared on events that neither has seen.
        max_cases: a larger split is thinned out evenly.
        fraction: the fraction of events that a time split holds out otherwise.
    """
    if dataset.has_timestamps:
        for cutoff_ms, min_cases in (
            (_find_live_cut(dataset, live_trained_until), MIN_FAIR_CASES),
            (None, DEFAULT_GATE_CONFIG.min_cases),
        ):
            by_time = time_split(
                dataset,
                test_fraction=fraction,
                cutoff_ms=cutoff_ms,
            )
            split = _select_unseen_targets(by_time, max_cases)
            if len(split) >= min_cases:
                return HeldOutEvents("time-split", split)
    return HeldOutEvents("leave-last-out", _select_unseen_targets(leave_last_out(dataset), max_cases))


def evaluate_candidate(
    ensemble: Ensemble,
    split: Split,
    live: Bundle | None,
    item_numbers: NDArray[np.int32],
    *,
    live_is_fair: bool,
    segments: tuple[SegmentColumns, SegmentColumns] = ((), ()),
    config: GateConfig = DEFAULT_GATE_CONFIG,
) -> GateResult:
    """Evaluates the new model and decides whether it may serve.

    Args:
        ensemble: the new model, trained on `split.train`.
        split: the held-out cases.
        live: the active model, if there is one.
        item_numbers: int32 (items), the catalogue numbers of the split's items.
        live_is_fair: whether the active model was not trained on the cases. Otherwise its metrics are stored, but the gate
            does not compare with it.
        segments: attributes of the split's users and of its items; no segment may lose significantly.
        config: thresholds of the gate.
    """
    rng = np.random.default_rng(0)
    candidate = evaluate_scorer(ensemble.score, split, k=K)
    metrics = GateMetrics(
        cases=len(split),
        candidate=candidate.summarize_metrics(rng),
    )
    if len(split) < config.min_cases:
        return GateResult((create_few_cases_reason(len(split), config),), metrics)
    baseline = evaluate_scorer(ensemble.models[Popularity.name].score, split, k=K)
    metrics = replace(metrics, popularity=baseline.summarize_metrics(rng))
    live_ndcg = None
    if live is not None:
        live_evaluation = evaluate_scorer(_build_aligned_scorer(live, item_numbers), split, k=K)
        live_metrics = {**live_evaluation.summarize_metrics(rng), "fair": live_is_fair}
        metrics = replace(metrics, live=live_metrics)
        if live_is_fair:
            live_ndcg = ndcg_at_k(live_evaluation.collect_ranks(), K)
    gate_input = GateInput(
        candidate=ndcg_at_k(candidate.collect_ranks(), K),
        popularity=ndcg_at_k(baseline.collect_ranks(), K),
        live=live_ndcg,
        slices=build_case_slices(split, *segments),
    )
    decision = evaluate_gate(
        gate_input,
        rng,
        config,
        k=K,
    )
    return GateResult(decision.reasons, replace(metrics, gate=dict(decision.metrics)))


def evaluate_on_tenant(
    ensemble: Ensemble,
    split: Split,
    live: Bundle | None,
    training_data: TrainingData,
    *,
    live_is_fair: bool,
) -> GateResult:
    """`evaluate_candidate` with the tenant's items, segments and thresholds."""
    return evaluate_candidate(
        ensemble,
        split,
        live,
        training_data.item_numbers,
        live_is_fair=live_is_fair,
        segments=(training_data.user_segments, training_data.item_segments),
        config=build_gate_config(training_data),
    )


def build_gate_config(training_data: TrainingData) -> GateConfig:
    """The gate's thresholds for a tenant: the configured gain, and no slice below the tenant's smallest reported group."""
    return replace(
        DEFAULT_GATE_CONFIG,
        min_gain=settings.LEPTON_GATE_MIN_GAIN_PERCENT / 100,
        min_slice_cases=max(DEFAULT_GATE_CONFIG.min_slice_cases, training_data.min_group_size),
    )


def create_few_cases_reason(n_cases: int, config: GateConfig = DEFAULT_GATE_CONFIG) -> DecisionReason:
    """The reason of a split that is too small to decide on."""
    return DecisionReason("few_cases", {"cases": n_cases, "min_cases": config.min_cases})


def is_fair_comparison(trained_until: datetime | None, dataset: Dataset, split: Split) -> bool:
    """Whether a model trained on all events until `trained_until` has seen none that a time split holds out."""
    if trained_until is None:
        return False
    held_out = dataset.timestamp[dataset.timestamp > split.train.timestamp.max(initial=-1)]
    return held_out.size > 0 and to_milliseconds(trained_until) < int(held_out.min())


def to_milliseconds(timestamp: datetime) -> int:
    """Unix time in milliseconds, rounded."""
    return round(timestamp.timestamp() * 1000)


def _find_live_cut(dataset: Dataset, trained_until: datetime | None) -> int | None:
    """The millisecond after `trained_until`, if a suitable fraction of the events is newer; None for the usual cut."""
    if trained_until is None:
        return None
    cutoff_ms = to_milliseconds(trained_until) + 1
    new_fraction = float((dataset.timestamp >= cutoff_ms).mean())
    if not MIN_CUT_FRACTION <= new_fraction <= MAX_CUT_FRACTION:
        return None
    return cutoff_ms


def _select_unseen_targets(split: Split, max_cases: int) -> Split:
    """At most `max_cases` cases, evenly chosen, whose target is not in their history."""
    # Compares each history event with the target of its own case, without a loop over cases.
    case_ids = split.histories.row_ids()
    is_repeated = np.zeros(len(split), dtype=bool)
    is_repeated[case_ids[split.histories.item == split.target[case_ids]]] = True
    rows = np.flatnonzero(~is_repeated)
    if rows.size > max_cases:
        rows = rows[np.linspace(0, rows.size - 1, max_cases).astype(np.int64)]
    return split.take(rows)


def _build_aligned_scorer(
    live: Bundle, item_numbers: NDArray[np.int32]
) -> Callable[[Histories], Float32Array]:
    """The active model's scores in the columns of the new one; -inf for items that it was not trained on."""
    live_columns = ItemPositions(live.item_numbers).find(item_numbers)
    is_known = live_columns >= 0

    def score_aligned(histories: Histories) -> Float32Array:
        # Items unknown to the active model become -1 in the history, which the ensemble drops.
        live_histories = Histories(histories.indptr, live_columns[histories.item], histories.weight)
        live_scores = live.ensemble.score(live_histories)
        scores = np.full((len(histories), item_numbers.size), -np.inf, dtype=np.float32)
        scores[:, is_known] = live_scores[:, live_columns[is_known]]
        return scores

    return score_aligned
