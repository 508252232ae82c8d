"""The gate lets a real gain through, and nothing else."""

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
from tests.training.synthetic_datasets import ITEMS, codes, fitted, judged, shuffled, street


@pytest.mark.proof(row=31)
def test_shuffled_data_is_refused(scale: Scale, figure: Callable[..., bool]) -> None:
    runs = scale(4, 20)
    refused = 0
    for seed in range(runs):
        split = gate.hold_out(shuffled(street(seed), seed)).split
        refused += codes(judged(fitted(split), split)) == ["not_better"]
    assert figure("shuffled data refused", refused, of=runs, passes=refused == runs)


@pytest.mark.proof(row=31)
def test_a_real_gain_is_promoted(scale: Scale, figure: Callable[..., bool]) -> None:
    """Over popularity and over a live model that knows which items go together and not which comes next."""
    runs = scale(3, 10)
    promoted = 0
    for seed in range(runs):
        split = gate.hold_out(street(seed)).split
        live = fitted(split, ("popularity", "item_neighbours"))
        verdict = judged(fitted(split), split, live)
        promoted += verdict.reasons == () and verdict.metrics.gate["against_live"]["low"] > 0
    assert figure("real gains promoted", promoted, of=runs, passes=promoted == runs)


@pytest.mark.proof(row=31)
def test_a_planted_regression_is_refused(scale: Scale, figure: Callable[..., bool]) -> None:
    """Still far better than popularity, but a part of the model in service is lost."""
    runs = scale(2, 10)
    refused = 0
    for seed in range(runs):
        split = gate.hold_out(street(seed)).split
        worse = fitted(split, ("popularity", "item_neighbours"))
        refused += set(codes(judged(worse, split, fitted(split)))) & {"worse_than_live"} != set()
    assert figure("planted regressions refused", refused, of=runs, passes=refused == runs)


def test_a_model_as_good_as_the_live_one_replaces_it() -> None:
    split = gate.hold_out(street(1)).split
    ours = fitted(split)
    assert judged(ours, split, fitted(split)).reasons == ()


def test_a_loss_for_one_segment_is_refused_although_the_average_gains() -> None:
    """The new model answers the profiles of one country with the catalogue upside down."""
    split = gate.hold_out(street(2, users=2_000)).split
    country = (np.arange(split.train.n_users) % 12 == 0).astype(np.int32)
    ours = fitted(split)
    live = replace(fitted(split, ("popularity", "item_neighbours")), reranker=None)
    broken = _Broken(
        ours, of_history={split.histories.slice_row(n).tobytes() for n in _cases(split.user, country)}
    )
    verdict = judged(broken, split, live, labels=((SegmentColumn("country", country, ("DE", "FR")),), ()))
    assert verdict.metrics.candidate["ndcg@10"] > verdict.metrics.live["ndcg@10"]
    assert set(codes(verdict)) == {"slice_worse"}
    assert {reason.parameters["slice"] for reason in verdict.reasons} == {"country=FR"}


def test_segments_below_the_minimum_size_are_not_reported() -> None:
    split = gate.hold_out(street(3)).split
    few = np.full(split.train.n_users, -1, np.int32)
    few[split.user[:49]] = 0
    many = np.full(split.train.n_users, -1, np.int32)
    many[split.user[:50]] = 0
    labels = (SegmentColumn("language", few, ("zh",)), SegmentColumn("country", many, ("CN",)))
    verdict = judged(fitted(split), split, labels=(labels, ()))
    assert {"language=zh", "country=CN"} & verdict.metrics.gate["slices"].keys() == {"country=CN"}


def test_a_live_model_trained_on_the_test_cases_is_reported_and_not_compared() -> None:
    split = gate.hold_out(street(4)).split
    ours, numbers = fitted(split, ("popularity", "item_neighbours")), np.arange(ITEMS, dtype=np.int32)
    live = gate.Bundle(fitted(split), numbers)
    verdict = gate.evaluate_candidate(ours, split, live, numbers, live_is_fair=False)
    assert (codes(verdict), verdict.metrics.live["fair"]) == ([], False)
    assert "against_live" not in verdict.metrics.gate


def test_the_split_is_made_at_the_latest_event_of_the_live_model() -> None:
    data = street(5, start_ms=1_000_000_000_000)
    until = int(np.quantile(data.timestamp, 0.93))
    until = int(data.timestamp[data.timestamp <= until].max())
    moment = datetime.fromtimestamp(until / 1000, UTC)
    held_out = gate.hold_out(data, live_trained_until=moment)
    split = held_out.split
    assert (held_out.protocol, int(split.train.timestamp.max())) == ("time-split", until)
    assert gate.is_fair_comparison(moment, data, split)
    assert not gate.is_fair_comparison(datetime.fromtimestamp(until / 1000 + 86_400, UTC), data, split)


@pytest.mark.parametrize("share", [0.999, 0.5])
def test_too_few_or_too_many_new_events_keep_the_default_split(share: float) -> None:
    data = street(6, start_ms=1_000_000_000_000)
    moment = datetime.fromtimestamp(float(np.quantile(data.timestamp, share)) / 1000, UTC)
    split = gate.hold_out(data, live_trained_until=moment).split
    assert split.train.n_events / data.n_events == pytest.approx(0.9, abs=0.01)


def test_too_few_cases_are_refused_with_their_number() -> None:
    split = gate.hold_out(street(7, users=12)).split
    verdict = judged(fitted(split), split)
    assert codes(verdict) == ["few_cases"]
    assert verdict.reasons[0].parameters == {"cases": len(split), "min_cases": 20}


def test_a_gain_too_small_to_matter_is_refused() -> None:
    """Many cases make a tiny gain certain; it is not worth a change all the same."""
    split = gate.hold_out(street(8, users=3_000, order=0.02)).split
    numbers = np.arange(ITEMS, dtype=np.int32)
    config = replace(gate.DEFAULT_GATE_CONFIG, min_gain=3.0)
    verdict = gate.evaluate_candidate(fitted(split), split, None, numbers, live_is_fair=False, config=config)
    assert set(codes(verdict)) <= {"gain_too_small", "not_better"}
    assert verdict.reasons != ()


def _cases(user: np.ndarray, country: np.ndarray) -> list[int]:
    return np.flatnonzero(country[user] == 1).tolist()


class _Broken(Ensemble):
    """Scores the histories of one group upside down."""

    def __init__(self, whole: Ensemble, *, of_history: set[bytes]) -> None:
        super().__init__(whole.models, Blend(dict(whole.blend.weights)), whole.items, whole.training_report)
        object.__setattr__(self, "_of_history", of_history)

    def score(self, histories):  # type: ignore[no-untyped-def]
        scores = super().score(histories)
        flipped = [n for n in range(len(histories)) if histories.slice_row(n).tobytes() in self._of_history]
        scores[flipped] *= -1
        return scores


def test_the_inverting_ensemble_inverts_its_histories_only() -> None:
    data: Dataset = street(9)
    split = gate.hold_out(data).split
    whole = fitted(split)
    broken = _Broken(whole, of_history={split.histories.slice_row(0).tobytes()})
    some = split.histories.take_rows(np.array([0, 1]))
    assert np.allclose(broken.score(some)[0], -whole.score(some)[0])
