from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from lepton_platform.demo.records import DemoRecords
from lepton_platform.demo.specs import DemoSpec

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
YEAR = timedelta(days=365)


def test_the_newest_event_lies_within_the_last_week_on_its_own_weekday(
    shop: DemoSpec, shop_data: Path
) -> None:
    times = [event.at for batch in DemoRecords(shop, NOW, YEAR, shop_data).iter_events() for event in batch]
    newest = max(time for time in times if time is not None)
    assert timedelta(0) <= NOW - newest < timedelta(days=7)
    assert newest.weekday() == datetime(2019, 12, 2, tzinfo=UTC).weekday()


def test_distances_between_events_are_preserved(shop: DemoSpec, shop_data: Path) -> None:
    times = [event.at for batch in DemoRecords(shop, NOW, YEAR, shop_data).iter_events() for event in batch]
    known_times = [time for time in times if time is not None]
    assert max(known_times) - min(known_times) == timedelta(minutes=2_499)


def test_events_beyond_the_retention_are_skipped(shop: DemoSpec, shop_data: Path) -> None:
    records = DemoRecords(shop, NOW, timedelta(days=4), shop_data)
    assert [event for batch in records.iter_events() for event in batch] == []


def test_profiles_without_events_are_skipped(shop: DemoSpec, shop_data: Path) -> None:
    with_events = DemoRecords(shop, NOW, YEAR, shop_data)
    assert sum(len(batch) for batch in with_events.iter_profiles()) == 50
    without_events = DemoRecords(shop, NOW, timedelta(days=4), shop_data)
    assert sum(len(batch) for batch in without_events.iter_profiles()) == 0


def test_an_age_in_days_becomes_a_date(shop: DemoSpec, shop_data: Path) -> None:
    profiles = next(DemoRecords(shop, NOW, YEAR, shop_data).iter_profiles())
    assert profiles[3].attributes == {"since_on": "2026-11-20"}


def test_the_same_load_time_gives_the_same_rows(shop: DemoSpec, shop_data: Path) -> None:
    events = list(DemoRecords(shop, NOW, YEAR, shop_data).iter_events())
    assert events == list(DemoRecords(shop, NOW, YEAR, shop_data).iter_events())
