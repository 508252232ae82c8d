"""A merge keeps every event, drops repeats once, and changes only chunks that it has read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tenants.data.actions.events import record_events
from tenants.data.actions.merge import find_merge_candidates, merge_profiles
from tenants.data.queries import counters, timeline
from tenants.data.queries.profiles import derive_profile_key
from tenants.data.types import EventInput
from tenants.scope import scope

NOW = datetime.now(UTC).replace(microsecond=0)


def add_views(tenant, actor, minutes: range, *, ids: bool = False) -> None:
    for minute in minutes:
        event = EventInput(
            item_id="mug",
            kind="view",
            profile_id="ann",
            at=NOW - timedelta(minutes=minute),
            id=f"e{minute % 3}" if ids else None,
        )
        with scope(tenant, actor=actor) as s:
            record_events(s, [event])


def list_chunks(s) -> list[tuple[int, int]]:
    return (
        s.cursor()
        .execute("SELECT seq, count FROM data_timeline WHERE tenant_id = %s ORDER BY seq", (s.tenant_id,))
        .fetchall()
    )


def test_small_chunks_become_one_with_all_events(tenant, actor, mugs):
    add_views(tenant, actor, range(6))
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, "ann")
        assert find_merge_candidates(s) == [key]
        assert merge_profiles(s, [key]).repeats == 0
        assert [count for _, count in list_chunks(s)] == [6]
        assert timeline.load_history(s, key).events.size == 6


def test_a_chunk_that_arrives_after_a_merge_follows_the_merged_chunk(tenant, actor, mugs):
    add_views(tenant, actor, range(4))
    with scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
    add_views(tenant, actor, range(10, 11))
    with scope(tenant, actor=actor) as s:
        assert [count for _, count in list_chunks(s)] == [4, 1]


def test_repeated_ids_are_dropped_and_their_counters_corrected(tenant, actor, mugs):
    add_views(tenant, actor, range(6), ids=True)
    with scope(tenant, actor=actor) as s:
        assert merge_profiles(s, [derive_profile_key(s, "ann")]).repeats == 3
    with scope(tenant, actor=actor) as s:
        rows = counters.list_daily_counts(s, NOW.date() - timedelta(days=1), NOW.date())
    assert sum(row.count for row in rows if row.metric == "events") == 3


def test_a_merge_stores_seen_items(tenant, actor, mugs):
    add_views(tenant, actor, range(4))
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, "ann")
        merge_profiles(s, [key])
        assert timeline.load_history(s, key).seen.size == 1


def test_impressions_are_not_stored_as_seen_items(tenant, actor, mugs):
    for minute in range(3):
        impression = EventInput(
            item_id="mug", kind="impression", profile_id="ann", at=NOW - timedelta(minutes=minute)
        )
        with scope(tenant, actor=actor) as s:
            record_events(s, [impression])
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, "ann")
        merge_profiles(s, [key])
        assert timeline.load_history(s, key).seen.size == 0


def test_a_single_chunk_is_not_changed(tenant, actor, mugs):
    add_views(tenant, actor, range(1))
    with scope(tenant, actor=actor) as s:
        before = list_chunks(s)
        merge_profiles(s, [derive_profile_key(s, "ann")])
        assert list_chunks(s) == before


def test_a_merge_splits_events_into_full_chunks(tenant, actor, mugs):
    events = [
        EventInput(item_id="mug", kind="view", profile_id="ann", at=NOW - timedelta(seconds=n))
        for n in range(900)
    ]
    with scope(tenant, actor=actor) as s:
        record_events(s, events[:450])
    with scope(tenant, actor=actor) as s:
        record_events(s, events[450:])
    with scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
        assert [count for _, count in list_chunks(s)] == [512, 388]
        assert timeline.load_history(s, derive_profile_key(s, "ann"), limit=2_000).events.size == 900


@pytest.mark.parametrize("limit", [1, 3])
def test_a_scan_returns_every_profile_once_with_its_complete_history(tenant, actor, mugs, limit):
    add_views(tenant, actor, range(5))
    with scope(tenant, actor=actor) as s:
        record_events(s, [EventInput(item_id="cup", kind="view", profile_id="bob", at=NOW)])
    histories = list(timeline.scan_histories(tenant, actor=actor, page_size=limit))
    assert sorted(events.size for _, events in histories) == [1, 5]
