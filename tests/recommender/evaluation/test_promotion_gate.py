"""The rules of the promotion gate, on metrics with a known decision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from recommender.dataset import Dataset, time_split
from recommender.evaluation.decisions.promotion_gate import (
    GateConfig,
    GateInput,
    compare_paired,
    evaluate_gate,
)
from recommender.evaluation.slices import SegmentColumn, build_case_slices
from recommender.types import DataError, Float64Array
from tests.proofs import Scale

CONFIG = GateConfig()


def make_rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def simulate_gains(hit_rate: float, cases: int, seed: int) -> Float64Array:
    """Simulates hits at a random position of ten in about `hit_rate` of the cases."""
    rng = make_rng(seed)
    positions = rng.integers(0, 10, cases)
    return np.where(rng.random(cases) < hit_rate, 1 / np.log2(positions + 2.0), 0.0)


def get_reason_codes(case: GateInput) -> list[str]:
    return [reason.code for reason in evaluate_gate(case, make_rng(), CONFIG, k=10).reasons]


@pytest.mark.proof(row=31)
def test_equal_models_are_rarely_called_better(scale: Scale, figure: Callable[..., bool]) -> None:
    """One-sided 99.9%: of equal pairs about one in a thousand is called better."""
    pairs = scale(40, 1_000)
    n_better = 0
    for n in range(pairs):
        candidate, baseline = simulate_gains(0.1, 300, 2 * n), simulate_gains(0.1, 300, 2 * n + 1)
        n_better += compare_paired(candidate, baseline, make_rng(n), CONFIG).is_better
    assert figure("equal models called better", n_better, of=pairs, passes=n_better <= max(1, 0.005 * pairs))


def test_with_many_cases_the_bounds_are_those_of_a_normal_mean() -> None:
    candidate, baseline = simulate_gains(0.3, 20_000, 1), simulate_gains(0.25, 20_000, 2)
    comparison = compare_paired(candidate, baseline, make_rng(), CONFIG)
    standard_error = (candidate - baseline).std() / np.sqrt(candidate.size)
    assert comparison.low == pytest.approx(
        comparison.candidate - comparison.baseline - 3.09 * standard_error, abs=0.15 * standard_error
    )
    assert comparison.high == pytest.approx(
        comparison.candidate - comparison.baseline + 3.09 * standard_error, abs=0.15 * standard_error
    )


def test_a_clearly_better_candidate_passes() -> None:
    case = GateInput(
        simulate_gains(0.4, 2_000, 1), simulate_gains(0.2, 2_000, 2), simulate_gains(0.3, 2_000, 3)
    )
    assert get_reason_codes(case) == []


def test_a_gain_within_chance_is_refused() -> None:
    case = GateInput(simulate_gains(0.24, 200, 1), simulate_gains(0.2, 200, 2))
    assert case.candidate.mean() > case.popularity.mean()
    assert get_reason_codes(case) == ["not_better"]


def test_a_certain_gain_below_the_minimum_is_refused() -> None:
    baseline = simulate_gains(0.3, 50_000, 1)
    assert get_reason_codes(GateInput(baseline * 1.04, baseline)) == ["gain_too_small"]
    assert get_reason_codes(GateInput(baseline * 1.06, baseline)) == []


def test_a_candidate_below_the_live_model_is_refused_with_and_without_certainty() -> None:
    live = simulate_gains(0.5, 3_000, 1)
    assert get_reason_codes(GateInput(live * 0.99, live * 0.3, live)) == ["worse_than_live"]
    noisy = simulate_gains(0.46, 300, 2)
    assert get_reason_codes(GateInput(noisy, np.zeros(300), simulate_gains(0.54, 300, 3))) == ["below_live"]
    assert get_reason_codes(GateInput(live, live * 0.3, live)) == []


def test_a_slice_that_loses_beyond_chance_is_named() -> None:
    mask = np.arange(2_000) < 200
    candidate, popularity = simulate_gains(0.6, 2_000, 1), simulate_gains(0.2, 2_000, 2)
    candidate[mask] = 0.0
    decision = evaluate_gate(
        GateInput(candidate, popularity, slices={"new_profiles": mask}), make_rng(), CONFIG, k=10
    )
    assert [
        (reason.code, reason.parameters["slice"], reason.parameters["baseline_name"])
        for reason in decision.reasons
    ] == [("slice_worse", "new_profiles", "popularity")]
    small_slice = GateInput(candidate, popularity, slices={"new_profiles": mask & (np.arange(2_000) < 49)})
    assert get_reason_codes(small_slice) == []


@pytest.mark.parametrize(
    "settings",
    [{"confidence": 1.0}, {"confidence": 0.4}, {"min_gain": -0.1}, {"max_loss": 1.0}, {"n_resamples": 5_000}],
)
def test_an_invalid_gate_config_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(DataError):
        GateConfig(**settings)  # type: ignore[arg-type]


def test_a_comparison_without_cases_is_neither_better_nor_worse() -> None:
    comparison = compare_paired(np.empty(0), np.empty(0), make_rng(), CONFIG)
    assert (comparison.is_better, comparison.is_worse, comparison.relative_gain) == (False, False, None)


def test_slices_contain_the_cases_that_they_name() -> None:
    """Item 0 has most events. Item 3 is first chosen at the end. The third user has a long history."""
    user = ["a"] * 2 + ["b"] * 2 + ["c"] * 12 + ["d"] * 3
    item = ["0", "1", "0", "3", *["0"] * 6, *["2"] * 5, "3", "0", "1", "0"]
    timestamp = np.array([1, 99, 2, 99, *range(3, 14), 99, 1, 90, 99], np.int64)
    data = Dataset.from_events(user, item, timestamp=timestamp)
    split = time_split(data, cutoff_ms=95)
    slices = build_case_slices(
        split, [SegmentColumn("language", np.array([0, 1, -1, 0], np.int32), ("en", "zh"))]
    )
    case_users = np.array([data.user_ids[user_index] for user_index in split.user])
    users_by_slice = {name: set(case_users[mask].tolist()) for name, mask in slices.items()}
    assert users_by_slice["new_profiles"] == {"a", "b", "d"}
    assert users_by_slice["new_items"] == {"a", "b", "c"}
    assert users_by_slice["language=en"] == {"a", "d"}
    assert users_by_slice["language=zh"] == {"b"}
    assert "a" in users_by_slice["tail_items"]
    assert "d" not in users_by_slice["tail_items"]
