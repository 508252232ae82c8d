"""The rule of the gate, on figures whose answer is known."""

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


def simulate_gains(share: float, cases: int, seed: int) -> Float64Array:
    """Hits at a random place of ten, for about `share` of the cases."""
    made = make_rng(seed)
    places = made.integers(0, 10, cases)
    return np.where(made.random(cases) < share, 1 / np.log2(places + 2.0), 0.0)


def get_reason_codes(case: GateInput) -> list[str]:
    return [reason.code for reason in evaluate_gate(case, make_rng(), CONFIG, k=10).reasons]


@pytest.mark.proof(row=31)
def test_two_equal_models_are_rarely_told_apart(scale: Scale, figure: Callable[..., bool]) -> None:
    """One-sided 99.9%: of equal pairs about one in a thousand is called better."""
    pairs = scale(40, 1_000)
    called = sum(
        compare_paired(simulate_gains(0.1, 300, 2 * n), simulate_gains(0.1, 300, 2 * n + 1), make_rng(n), CONFIG).is_better for n in range(pairs)
    )  # fmt: skip
    assert figure("equal models called better", called, of=pairs, passes=called <= max(1, 0.005 * pairs))


def test_the_bound_is_that_of_a_normal_mean_where_cases_are_many() -> None:
    ours, theirs = simulate_gains(0.3, 20_000, 1), simulate_gains(0.25, 20_000, 2)
    found = compare_paired(ours, theirs, make_rng(), CONFIG)
    error = (ours - theirs).std() / np.sqrt(ours.size)
    assert found.low == pytest.approx(found.candidate - found.baseline - 3.09 * error, abs=0.15 * error)
    assert found.high == pytest.approx(found.candidate - found.baseline + 3.09 * error, abs=0.15 * error)


def test_what_is_clearly_better_passes() -> None:
    case = GateInput(
        simulate_gains(0.4, 2_000, 1), simulate_gains(0.2, 2_000, 2), simulate_gains(0.3, 2_000, 3)
    )
    assert get_reason_codes(case) == []


def test_what_is_better_but_not_beyond_chance_is_refused() -> None:
    case = GateInput(simulate_gains(0.24, 200, 1), simulate_gains(0.2, 200, 2))
    assert case.candidate.mean() > case.popularity.mean()
    assert get_reason_codes(case) == ["not_better"]


def test_a_certain_gain_below_the_least_is_refused() -> None:
    base = simulate_gains(0.3, 50_000, 1)
    assert get_reason_codes(GateInput(base * 1.04, base)) == ["gain_too_small"]
    assert get_reason_codes(GateInput(base * 1.06, base)) == []


def test_below_the_live_model_is_refused_with_and_without_certainty() -> None:
    live = simulate_gains(0.5, 3_000, 1)
    assert get_reason_codes(GateInput(live * 0.99, live * 0.3, live)) == ["worse_than_live"]
    noisy = simulate_gains(0.46, 300, 2)
    assert get_reason_codes(GateInput(noisy, np.zeros(300), simulate_gains(0.54, 300, 3))) == ["below_live"]
    assert get_reason_codes(GateInput(live, live * 0.3, live)) == []


def test_a_slice_that_loses_beyond_chance_is_named() -> None:
    mask = np.arange(2_000) < 200
    ours, bar = simulate_gains(0.6, 2_000, 1), simulate_gains(0.2, 2_000, 2)
    ours[mask] = 0.0
    found = evaluate_gate(GateInput(ours, bar, slices={"new_profiles": mask}), make_rng(), CONFIG, k=10)
    assert [(r.code, r.parameters["slice"], r.parameters["baseline_name"]) for r in found.reasons] == [
        ("slice_worse", "new_profiles", "popularity")
    ]
    few = GateInput(ours, bar, slices={"new_profiles": mask & (np.arange(2_000) < 49)})
    assert get_reason_codes(few) == []


@pytest.mark.parametrize(
    "wrong",
    [{"confidence": 1.0}, {"confidence": 0.4}, {"min_gain": -0.1}, {"max_loss": 1.0}, {"n_resamples": 5_000}],
)
def test_a_rule_that_cannot_be_kept_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError):
        GateConfig(**wrong)  # type: ignore[arg-type]


def test_nothing_to_compare_is_neither_better_nor_worse() -> None:
    found = compare_paired(np.empty(0), np.empty(0), make_rng(), CONFIG)
    assert (found.is_better, found.is_worse, found.relative_gain) == (False, False, None)


def test_slices_hold_the_cases_that_they_name() -> None:
    """Item 0 has most events; item 3 is first chosen at the end; the third user has a long history."""
    user = ["a"] * 2 + ["b"] * 2 + ["c"] * 12 + ["d"] * 3
    item = ["0", "1", "0", "3", *["0"] * 6, *["2"] * 5, "3", "0", "1", "0"]
    at = np.array([1, 99, 2, 99, *range(3, 14), 99, 1, 90, 99], np.int64)
    data = Dataset.from_events(user, item, timestamp=at)
    split = time_split(data, cutoff_ms=95)
    found = build_case_slices(
        split, [SegmentColumn("language", np.array([0, 1, -1, 0], np.int32), ("en", "zh"))]
    )
    asked = {data.user_ids[u]: n for n, u in enumerate(split.user)}
    held = {name: {who for who, n in asked.items() if mask[n]} for name, mask in found.items()}
    assert held["new_profiles"] == {"a", "b", "d"}
    assert held["new_items"] == {"a", "b", "c"}
    assert held["language=en"] == {"a", "d"}
    assert held["language=zh"] == {"b"}
    assert "a" in held["tail_items"]
    assert "d" not in held["tail_items"]
