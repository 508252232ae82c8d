"""The gate promotes real gains and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.dataset import Dataset
from recommender.evaluation.slices import SegmentColumn
from recommender.training import gate
from tests.proofs import Scale
from tests.training.synthetic_datasets import (
    ITEMS,
    evaluate_with_gate,
    fit_candidate,
    generate_dataset,
    list_reason_codes,
    shuffle_items,
)


@pytest.mark.proof(row=31)
def test_shuffled_data_is_refused(scale: Scale, figure: Callable[..., bool]) -> None:
    runs = scale(4, 20)
    refused = 0
    for seed in range(runs):
        split = gate.hold_out(shuffle_items(generate_dataset(seed), seed)).split
        refused += list_reason_codes(evaluate_with_gate(fit_candidate(split), split)) == ["not_better"]
    assert figure("shuffled data refused", refused, of=runs, passes=refused == runs)


@pytest.mark.proof(row=31)
def test_a_real_gain_is_promoted(scale: Scale, figure: Callable[..., bool]) -> None:
    """Over popularity, and over a live model of co-occurrence without sequence."""
    runs = scale(3, 10)
    promoted = 0
    for seed in range(runs):
        split = gate.hold_out(generate_dataset(seed)).split
        live = fit_candidate(split, ("popularity", "item_neighbours"))
        result = evaluate_with_gate(fit_candidate(split), split, live)
        promoted += result.reasons == () and result.metrics.gate["against_live"]["low"] > 0
    assert figure("real gains promoted", promoted, of=runs, passes=promoted == runs)


@pytest.mark.proof(row=31)
def test_a_planted_regression_is_refused(scale: Scale, figure: Callable[..., bool]) -> None:
    """The candidate is far better than popularity, but it lacks models of the live ensemble."""
    runs = scale(2, 10)
    refused = 0
    for seed in range(runs):
        split = gate.hold_out(generate_dataset(seed)).split
        worse = fit_candidate(split, ("popularity", "item_neighbours"))
        codes = list_reason_codes(evaluate_with_gate(worse, split, fit_candidate(split)))
        refused += "worse_than_live" in codes
    assert figure("planted regressions refused", refused, of=runs, passes=refused == runs)


def test_a_model_as_good_as_the_live_one_replaces_it() -> None:
    split = gate.hold_out(generate_dataset(1)).split
    candidate = fit_candidate(split)
    assert evaluate_with_gate(candidate, split, fit_candidate(split)).reasons == ()


def test_a_loss_for_one_segment_is_refused_although_the_average_gains() -> None:
    """The candidate ranks the catalogue in inverse order for the profiles of one country."""
    split = gate.hold_out(generate_dataset(2, users=2_000)).split
    country = (np.arange(split.train.n_users) % 12 == 0).astype(np.int32)
    candidate = fit_candidate(split)
    live = replace(fit_candidate(split, ("popularity", "item_neighbours")), reranker=None)
    inverting = _InvertingEnsemble(
        candidate,
        inverted_histories={
            split.histories.slice_row(n).tobytes() for n in _find_segment_cases(split.user, country)
        },
    )
    result = evaluate_with_gate(
        inverting, split, live, segments=((SegmentColumn("country", country, ("DE", "FR")),), ())
    )
    assert result.metrics.candidate["ndcg@10"] > result.metrics.live["ndcg@10"]
    assert set(list_reason_codes(result)) == {"slice_worse"}
    assert {reason.parameters["slice"] for reason in result.reasons} == {"country=FR"}


def test_segments_below_the_minimum_size_are_not_reported() -> None:
    split = gate.hold_out(generate_dataset(3)).split
    too_few_users = np.full(split.train.n_users, -1, np.int32)
    too_few_users[split.user[:49]] = 0
    enough_users = np.full(split.train.n_users, -1, np.int32)
    enough_users[split.user[:50]] = 0
    segments = (
        SegmentColumn("language", too_few_users, ("zh",)),
        SegmentColumn("country", enough_users, ("CN",)),
    )
    result = evaluate_with_gate(fit_candidate(split), split, segments=(segments, ()))
    assert {"language=zh", "country=CN"} & result.metrics.gate["slices"].keys() == {"country=CN"}


def test_a_live_model_trained_on_the_test_cases_is_reported_and_not_compared() -> None:
    split = gate.hold_out(generate_dataset(4)).split
    candidate = fit_candidate(split, ("popularity", "item_neighbours"))
    numbers = np.arange(ITEMS, dtype=np.int32)
    live = gate.Bundle(fit_candidate(split), numbers)
    result = gate.evaluate_candidate(candidate, split, live, numbers, live_is_fair=False)
    assert (list_reason_codes(result), result.metrics.live["fair"]) == ([], False)
    assert "against_live" not in result.metrics.gate


def test_the_split_is_made_at_the_latest_event_of_the_live_model() -> None:
    data = generate_dataset(5, start_ms=1_000_000_000_000)
    cutoff_ms = int(np.quantile(data.timestamp, 0.93))
    cutoff_ms = int(data.timestamp[data.timestamp <= cutoff_ms].max())
    trained_until = datetime.fromtimestamp(cutoff_ms / 1000, UTC)
    held_out = gate.hold_out(data, live_trained_until=trained_until)
    split = held_out.split
    assert (held_out.protocol, int(split.train.timestamp.max())) == ("time-split", cutoff_ms)
    assert gate.is_fair_comparison(trained_until, data, split)
    assert not gate.is_fair_comparison(datetime.fromtimestamp(cutoff_ms / 1000 + 86_400, UTC), data, split)


@pytest.mark.parametrize("quantile", [0.999, 0.5])
def test_too_few_or_too_many_new_events_keep_the_default_split(quantile: float) -> None:
    data = generate_dataset(6, start_ms=1_000_000_000_000)
    trained_until = datetime.fromtimestamp(float(np.quantile(data.timestamp, quantile)) / 1000, UTC)
    split = gate.hold_out(data, live_trained_until=trained_until).split
    assert split.train.n_events / data.n_events == pytest.approx(0.9, abs=0.01)


def test_too_few_cases_are_refused_with_their_number() -> None:
    split = gate.hold_out(generate_dataset(7, users=12)).split
    result = evaluate_with_gate(fit_candidate(split), split)
    assert list_reason_codes(result) == ["few_cases"]
    assert result.reasons[0].parameters == {"cases": len(split), "min_cases": 20}


def test_a_gain_too_small_to_matter_is_refused() -> None:
    """Many cases make a tiny gain significant, but it stays below the minimum gain."""
    split = gate.hold_out(generate_dataset(8, users=3_000, successor_rate=0.02)).split
    numbers = np.arange(ITEMS, dtype=np.int32)
    config = replace(gate.DEFAULT_GATE_CONFIG, min_gain=3.0)
    result = gate.evaluate_candidate(
        fit_candidate(split), split, None, numbers, live_is_fair=False, config=config
    )
    assert set(list_reason_codes(result)) <= {"gain_too_small", "not_better"}
    assert result.reasons != ()


def _find_segment_cases(user: np.ndarray, country: np.ndarray) -> list[int]:
    return np.flatnonzero(country[user] == 1).tolist()


class _InvertingEnsemble(Ensemble):
    """Inverts the scores of the given histories."""

    def __init__(self, ensemble: Ensemble, *, inverted_histories: set[bytes]) -> None:
        super().__init__(
            ensemble.models, Blend(dict(ensemble.blend.weights)), ensemble.items, ensemble.training_report
        )
        object.__setattr__(self, "_inverted_histories", inverted_histories)

    def score(self, histories):  # type: ignore[no-untyped-def]
        scores = super().score(histories)
        flipped = [
            n for n in range(len(histories)) if histories.slice_row(n).tobytes() in self._inverted_histories
        ]
        scores[flipped] *= -1
        return scores


def test_the_inverting_ensemble_inverts_its_histories_only() -> None:
    data: Dataset = generate_dataset(9)
    split = gate.hold_out(data).split
    ensemble = fit_candidate(split)
    inverting = _InvertingEnsemble(ensemble, inverted_histories={split.histories.slice_row(0).tobytes()})
    histories = split.histories.take_rows(np.array([0, 1]))
    assert np.allclose(inverting.score(histories)[0], -ensemble.score(histories)[0])
