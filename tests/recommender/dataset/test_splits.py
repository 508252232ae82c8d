from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recommender.dataset import Dataset, leave_last_out, splits, time_split
from recommender.dataset.splits import roll_forward
from recommender.types import DataError


def make_timed_events() -> Dataset:
    users = ["a", "a", "a", "b", "b", "c"]
    items = ["p", "q", "r", "q", "r", "p"]
    return Dataset.from_events(users, items, timestamp=np.array([30, 10, 95, 20, 90, 99]))


def test_events_of_a_user_are_in_time_order() -> None:
    data = make_timed_events()
    assert [data.item_ids[i] for i in data.histories.slice_row(0)] == ["q", "p", "r"]


def test_events_of_equal_time_keep_their_input_order() -> None:
    data = Dataset.from_events(["a"] * 3, ["z", "y", "x"], timestamp=np.array([5, 5, 5]))
    assert [data.item_ids[i] for i in data.histories.slice_row(0)] == ["z", "y", "x"]


def test_leave_last_out_hides_the_last_event_of_users_with_two() -> None:
    split = leave_last_out(Dataset.from_sequences([[0, 1, 2], [3], [4, 0]]))
    assert split.target.tolist() == [2, 0]
    assert [split.histories.slice_row(i).tolist() for i in range(2)] == [[0, 1], [4]]
    assert split.train.n_events == 4
    assert split.user.tolist() == [0, 2]


def test_a_time_split_trains_only_on_events_before_the_cutoff() -> None:
    split = time_split(make_timed_events(), test_fraction=0.5)
    assert split.train.timestamp.max() < 90
    assert [split.train.item_ids[i] for i in split.target] == ["r", "r"]


def test_a_time_split_without_times_is_refused() -> None:
    with pytest.raises(DataError, match="timestamp"):
        time_split(Dataset.from_sequences([[0, 1]]))


def test_roll_forward_tests_every_later_event_with_all_earlier_ones_as_history() -> None:
    data = Dataset.from_sequences([[0, 1, 2, 3], [4, 5], [6]])
    at = np.array([10, 20, 95, 96, 97, 98, 99])
    split = roll_forward(replace(data, timestamp=at), cutoff_ms=90)
    assert split.train.n_events == 2
    assert split.target.tolist() == [2, 3, 5]
    assert [split.histories.slice_row(case).tolist() for case in range(3)] == [[0, 1], [0, 1, 2], [4]]
    assert split.user.tolist() == [0, 0, 1]


def test_roll_forward_always_samples_the_same_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "MAX_TEST_CASES", 7)
    monkeypatch.setattr(splits, "MAX_TEST_HISTORY", 3)
    data = replace(Dataset.from_sequences([range(50)]), timestamp=np.arange(50))
    split, second_split = roll_forward(data, test_fraction=0.8), roll_forward(data, test_fraction=0.8)
    assert len(split) == 7
    assert split.target.tolist() == second_split.target.tolist() == sorted(split.target.tolist())
    for case, target in enumerate(split.target.tolist()):
        assert split.histories.slice_row(case).tolist() == [target - 3, target - 2, target - 1]


def test_the_target_is_never_in_the_training_data() -> None:
    data = Dataset.from_sequences([[0, 1, 2], [2, 1, 0]])
    split = leave_last_out(data)
    assert split.train.n_items == data.n_items
    assert split.train.histories.slice_row(0).tolist() == [0, 1]


def test_a_sample_of_cases_keeps_histories_and_targets_together() -> None:
    split = leave_last_out(Dataset.from_sequences([[n, n + 1] for n in range(50)]))
    fewer = split.sample_cases(7, np.random.default_rng(0))
    assert len(fewer) == len(fewer.histories) == 7
    assert [fewer.histories.slice_row(case)[0] + 1 for case in range(7)] == fewer.target.tolist()
    assert fewer.train is split.train


def test_events_outside_the_catalogue_are_refused() -> None:
    with pytest.raises(DataError, match="outside the catalogue"):
        Dataset.from_sequences([[0, 5]], n_items=3)
