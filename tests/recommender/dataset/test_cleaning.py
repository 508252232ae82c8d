"""Which events the cleaning rules remove, how many, and which they keep."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.dataset import Dataset
from recommender.dataset.cleaning import Cleaner
from recommender.dataset.cleaning_report import CleaningReport
from recommender.dataset.cleaning_rules import CleaningConfig
from recommender.types import DataError
from tenants.common.time_units import DAY_MS

NOW = datetime(2026, 6, 1, tzinfo=UTC)
# Not on a full minute, like the timestamps of a real clock.
START = int(NOW.timestamp() * 1000) - 30 * DAY_MS + 1_234
Event = tuple[str, str, float]
NO_REPEAT_WINDOW = CleaningConfig(repeat_window=timedelta(0))


def make_data(rows: list[Event], weight: list[float] | None = None) -> Dataset:
    """Makes events from rows of (user, item, seconds after the start)."""
    return Dataset.from_events(
        [user for user, _item, _at in rows],
        [item for _user, item, _at in rows],
        timestamp=np.array([START + round(1000 * at) for *_names, at in rows], dtype=np.int64),
        weight=None if weight is None else np.array(weight, dtype=np.float32),
    )


def clean(dataset: Dataset, config: CleaningConfig | None = None) -> tuple[Dataset, CleaningReport]:
    return Cleaner(config).clean(dataset, now=NOW)


def get_item_rows(dataset: Dataset) -> list[list[str]]:
    return [
        [dataset.item_ids[i] for i in dataset.raw_histories.slice_row(user)]
        for user in range(dataset.n_users)
    ]


def make_crowd(size: int = 30, length: int = 8) -> list[Event]:
    """Makes events of profiles that choose an item every hour."""
    return [(f"p{n}", f"i{(n + k) % 20}", 3600.0 * k + n) for n in range(size) for k in range(length)]


def test_ordinary_profiles_are_unchanged_and_the_same_data_set_is_returned() -> None:
    people = make_data(make_crowd())
    cleaned, report = clean(people)
    assert cleaned is people
    assert (report.count_removed_events(), report.events_before, report.events_after) == ({}, 240, 240)


def test_an_immediate_repetition_is_one_event_with_the_greatest_weight() -> None:
    cleaned, report = clean(
        make_data([("p", "a", 0), ("p", "a", 900), ("p", "b", 1800), ("p", "a", 2700)], [1, 5, 1, 2])
    )
    assert get_item_rows(cleaned) == [["a", "b", "a"]]
    assert cleaned.weight.tolist() == [5, 1, 2]
    assert cleaned.timestamp[0] == START
    assert report.count_removed_events() == {"immediate repetition": 1}


def test_a_repetition_counts_once_within_the_window_and_again_beyond_it() -> None:
    cleaned, report = clean(
        make_data(
            [("p", "a", 0), ("p", "b", 5), ("p", "a", 29), ("p", "b", 36), ("p", "a", 58), ("p", "c", 60)],
            [1] * 4 + [3, 1],
        )
    )
    assert get_item_rows(cleaned) == [["a", "b", "b", "c"]]
    assert cleaned.weight.tolist() == [3, 1, 1, 1]
    assert report.rules["repetition in window"].events == 2


def test_neighbours_left_by_the_window_are_not_merged_across_profiles() -> None:
    cleaned, _report = clean(make_data([("p", "a", 0), ("q", "a", 1), ("q", "b", 2), ("p", "b", 3)]))
    assert get_item_rows(cleaned) == [["a", "b"], ["a", "b"]]


def test_events_without_times_are_no_repetitions_in_a_window() -> None:
    untimed = Dataset.from_sequences([[0, 1, 0, 1, 2], [1, 0, 1]])
    assert clean(untimed)[0] is untimed


def test_events_after_a_burst_faster_than_any_person_are_removed_and_counted() -> None:
    burst = [("bot", f"i{n}", n / 50) for n in range(400)]
    cleaned, report = clean(make_data([*make_crowd(), *burst]))
    assert (report.rules["burst"].events, report.rules["burst"].users) == (300, 1)
    assert (cleaned.n_users, cleaned.n_events) == (31, 340)


def test_the_fastest_person_is_no_burst() -> None:
    person = make_data([("p", f"i{n}", n / 9) for n in range(500)])
    assert clean(person)[1].rules["burst"].events == 0


def test_timestamps_rounded_to_days_are_no_burst() -> None:
    midnight = START // DAY_MS * DAY_MS
    day_events = Dataset.from_events(
        ["reader"] * 600,
        [f"i{n}" for n in range(600)],
        timestamp=np.array([midnight + n // 300 * DAY_MS for n in range(600)], dtype=np.int64),
    )
    assert clean(day_events)[0] is day_events


def make_robot(per_day: int, days: int = 3) -> list[Event]:
    return [
        ("robot", f"i{n % 20}", day * 86_400 + n * 86_000 / per_day)
        for day in range(days)
        for n in range(per_day)
    ]


def test_a_profile_far_busier_than_everybody_else_is_a_bot() -> None:
    cleaned, report = clean(make_data([*make_crowd(), *make_robot(1_200)]), NO_REPEAT_WINDOW)
    assert (report.rules["bot"].events, report.rules["bot"].users) == (3_600, 1)
    assert "robot" not in cleaned.user_ids
    assert cleaned.n_users == len(cleaned.user_ids) == 30
    assert cleaned.item_ids == make_data([*make_crowd(), *make_robot(1_200)]).item_ids


def test_a_busy_person_among_quiet_ones_is_no_bot() -> None:
    assert (
        clean(make_data([*make_crowd(), *make_robot(900)]), NO_REPEAT_WINDOW)[1].count_removed_events() == {}
    )


def test_where_everybody_is_busy_nobody_is_a_bot() -> None:
    busy = [(f"p{n}", f"i{k}", k * 86 + n) for n in range(25) for k in range(1_000)]
    assert clean(make_data(busy))[1].count_removed_events() == {}


def test_too_few_profiles_are_no_reference_for_bots() -> None:
    assert (
        clean(make_data([*make_crowd(18), *make_robot(1_200)]), NO_REPEAT_WINDOW)[1].rules["bot"].events == 0
    )
    assert (
        clean(make_data([*make_crowd(19), *make_robot(1_200)]), NO_REPEAT_WINDOW)[1].rules["bot"].events
        == 3_600
    )


def test_a_profile_that_walks_the_whole_catalogue_slowly_is_a_bot() -> None:
    crawler = [("crawler", f"page{n}", n * 400) for n in range(5_000)]
    assert clean(make_data([*make_crowd(), *crawler]))[1].rules["bot"].events == 5_000


def test_short_histories_are_removed_until_all_have_enough_events() -> None:
    chain = [("p", "a", 0), ("p", "b", 99), ("q", "a", 0), ("q", "b", 99), ("r", "b", 0), ("r", "c", 99)]
    config = CleaningConfig(min_user_events=2, min_item_events=2)
    cleaned, report = clean(make_data(chain), config)
    assert (cleaned.user_ids, get_item_rows(cleaned)) == (("p", "q"), [["a", "b"], ["a", "b"]])
    assert (report.rules["short history"].events, report.rules["short history"].users) == (2, 1)
    assert cleaned.n_items == 3


def test_a_single_pass_filters_once() -> None:
    chain = [("p", "a", 0), ("p", "b", 99), ("q", "a", 0), ("q", "b", 99), ("r", "b", 0), ("r", "c", 99)]
    config = CleaningConfig(min_user_events=2, min_item_events=2, max_passes=1)
    assert get_item_rows(clean(make_data(chain), config)[0]) == [["a", "b"], ["a", "b"], ["b"]]


def test_a_rule_that_would_remove_all_events_is_skipped_with_its_reason() -> None:
    small = make_data([("p", "a", 0), ("q", "b", 99)])
    cleaned, report = clean(small, CleaningConfig(min_user_events=5))
    assert cleaned is small
    assert "would have removed all events" in report.to_json()["rules"]["short history"]["skipped"]


def test_events_more_than_a_day_in_the_future_are_removed() -> None:
    days = 31 * 86_400
    cleaned, report = clean(make_data([("p", "a", 0), ("p", "b", days - 86_400), ("p", "c", days)]))
    assert get_item_rows(cleaned) == [["a", "b"]]
    assert report.count_removed_events() == {"impossible time": 1}


def test_a_time_that_was_nan_is_impossible() -> None:
    nan = np.array([np.iinfo(np.int64).min, START, START + 1], dtype=np.int64)
    cleaned, report = clean(Dataset.from_events(["p"] * 3, ["a", "b", "c"], timestamp=nan))
    assert get_item_rows(cleaned) == [["b", "c"]]
    assert report.count_removed_events() == {"impossible time": 1}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0, -1.0])
def test_events_of_unusable_weight_are_removed(bad: float) -> None:
    cleaned, report = clean(make_data([("p", "a", 0), ("p", "b", 99), ("q", "b", 0)], [1, bad, 1]))
    assert get_item_rows(cleaned) == [["a"], ["b"]]
    assert report.count_removed_events() == {"unusable weight": 1}


def test_data_without_usable_events_becomes_empty() -> None:
    cleaned, report = clean(make_data([("p", "a", 0), ("q", "b", 0)], [np.nan, np.nan]))
    assert (cleaned.n_users, cleaned.n_events, cleaned.n_items) == (0, 0, 2)
    assert report.count_removed_events() == {"unusable weight": 2}


def test_data_without_events_is_accepted() -> None:
    empty = Dataset.from_sequences([], n_items=3)
    assert clean(empty)[0] is empty


@pytest.mark.parametrize(
    "rows",
    [
        [("p", "a", 0.0)],
        [("p", f"i{n}", n * 60.0) for n in range(5)],
        [(f"p{n}", "only", n * 1.0) for n in range(50)],
        [("p", "a", 0.0)] * 40,
    ],
    ids=["one event", "one user", "one item", "constant"],
)
def test_a_small_ordinary_data_set_is_never_emptied(rows: list[Event]) -> None:
    cleaned, _report = clean(make_data(rows), CleaningConfig(min_user_events=3, min_item_events=3))
    assert cleaned.n_events >= 1
    assert cleaned.n_users == make_data(rows).n_users


def test_a_profile_of_a_million_events_is_cleaned_in_seconds() -> None:
    size = 1_000_000
    people = make_crowd()
    flood = Dataset.from_events(
        ["flood"] * size + [user for user, *_item_and_time in people],
        [f"i{n % 5_000}" for n in range(size)] + [item for _user, item, _at in people],
        timestamp=np.r_[
            START + np.arange(size, dtype=np.int64) * 97, [START + int(1000 * at) for *_n, at in people]
        ],
    )
    started = time.perf_counter()
    cleaned, report = clean(flood)
    assert time.perf_counter() - started < 20
    assert "flood" not in cleaned.user_ids
    assert (report.events_after, report.users_after) == (240, 30)


def test_a_single_profile_of_a_million_events_keeps_most_of_them() -> None:
    size = 1_000_000
    at = START + np.arange(size, dtype=np.int64) * 2_000
    flood = Dataset.from_events(["p"] * size, [f"i{n % 5_000}" for n in range(size)], timestamp=at)
    assert clean(flood)[0].n_events > 0.9 * size


EVENTS = st.lists(
    st.tuples(st.sampled_from("pqrs"), st.sampled_from("abcde"), st.integers(0, 400)), min_size=1, max_size=60
)


@settings(deadline=None, max_examples=60)
@given(rows=EVENTS, min_events=st.integers(1, 3), window=st.integers(0, 60), burst=st.integers(1, 10))
def test_counts_add_up_some_events_remain_and_cleaning_is_deterministic(
    rows: list[tuple[str, str, int]], min_events: int, window: int, burst: int
) -> None:
    config = CleaningConfig(
        min_user_events=min_events,
        min_item_events=min_events,
        repeat_window=timedelta(seconds=window),
        burst_events=burst,
    )
    raw = make_data([(user, item, float(at)) for user, item, at in rows])
    cleaned, report = clean(raw, config)
    second_cleaned, second_report = clean(raw, config)
    assert (
        raw.n_events - sum(report.count_removed_events().values())
        == cleaned.n_events
        == report.events_after
        >= 1
    )
    assert cleaned.n_users == len(cleaned.user_ids)
    assert (second_cleaned.item.tolist(), second_cleaned.timestamp.tolist(), second_report) == (
        cleaned.item.tolist(),
        cleaned.timestamp.tolist(),
        report,
    )
    owners = cleaned.raw_histories.row_ids()
    assert (np.diff(cleaned.timestamp)[owners[1:] == owners[:-1]] >= 0).all()


@pytest.mark.parametrize(
    "settings",
    [{"burst_events": 0}, {"repeat_window": timedelta(seconds=-1)}, {"bot_max_sigmas": float("nan")}],
)
def test_an_invalid_cleaning_config_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(DataError):
        CleaningConfig(**settings)  # type: ignore[arg-type]
