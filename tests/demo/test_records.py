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


def test_distances_between_events_are_kept(shop: DemoSpec, shop_data: Path) -> None:
    times = [event.at for batch in DemoRecords(shop, NOW, YEAR, shop_data).iter_events() for event in batch]
    known = [time for time in times if time is not None]
    assert max(known) - min(known) == timedelta(minutes=2_499)


def test_what_the_tenant_would_not_keep_is_left_out(shop: DemoSpec, shop_data: Path) -> None:
    records = DemoRecords(shop, NOW, timedelta(days=4), shop_data)
    assert [event for batch in records.iter_events() for event in batch] == []


def test_profiles_without_events_are_left_out(shop: DemoSpec, shop_data: Path) -> None:
    few = DemoRecords(shop, NOW, YEAR, shop_data)
    assert sum(len(batch) for batch in few.iter_profiles()) == 50
    none = DemoRecords(shop, NOW, timedelta(days=4), shop_data)
    assert sum(len(batch) for batch in none.iter_profiles()) == 0


def test_an_age_in_days_becomes_a_date(shop: DemoSpec, shop_data: Path) -> None:
    profiles = next(DemoRecords(shop, NOW, YEAR, shop_data).iter_profiles())
    assert profiles[3].attributes == {"since_on": "2026-11-20"}


def test_the_same_moment_gives_the_same_rows(shop: DemoSpec, shop_data: Path) -> None:
    first = list(DemoRecords(shop, NOW, YEAR, shop_data).iter_events())
    assert first == list(DemoRecords(shop, NOW, YEAR, shop_data).iter_events())
