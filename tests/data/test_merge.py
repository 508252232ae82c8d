"""Merging keeps every event, drops repeats once, and never touches what it did not read."""

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


def add(tenant, actor, minutes: range, *, ids: bool = False) -> None:
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


def chunks(s) -> list[tuple[int, int]]:
    return (
        s.cursor()
        .execute("SELECT seq, count FROM data_timeline WHERE tenant_id = %s ORDER BY seq", (s.tenant_id,))
        .fetchall()
    )


def test_small_chunks_become_one_with_all_events(tenant, actor, mugs):
    add(tenant, actor, range(6))
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, "ann")
        assert find_merge_candidates(s) == [key]
        assert merge_profiles(s, [key]).repeats == 0
        assert [count for _, count in chunks(s)] == [6]
        assert timeline.load_history(s, key).events.size == 6


def test_a_chunk_that_arrives_after_the_merge_stays_behind_it(tenant, actor, mugs):
    add(tenant, actor, range(4))
    with scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
    add(tenant, actor, range(10, 11))
    with scope(tenant, actor=actor) as s:
        assert [count for _, count in chunks(s)] == [4, 1]


def test_repeated_ids_are_dropped_and_their_counters_corrected(tenant, actor, mugs):
    add(tenant, actor, range(6), ids=True)
    with scope(tenant, actor=actor) as s:
        assert merge_profiles(s, [derive_profile_key(s, "ann")]).repeats == 3
    with scope(tenant, actor=actor) as s:
        rows = counters.list_daily_counts(s, NOW.date() - timedelta(days=1), NOW.date())
    assert sum(row.count for row in rows if row.metric == "events") == 3


def test_a_merged_profile_remembers_what_it_has_seen(tenant, actor, mugs):
    add(tenant, actor, range(4))
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, "ann")
        merge_profiles(s, [key])
        assert timeline.load_history(s, key).seen.size == 1


def test_what_was_only_shown_is_not_remembered_as_seen(tenant, actor, mugs):
    for minute in range(3):
        shown = EventInput(
            item_id="mug", kind="impression", profile_id="ann", at=NOW - timedelta(minutes=minute)
        )
        with scope(tenant, actor=actor) as s:
            record_events(s, [shown])
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, "ann")
        merge_profiles(s, [key])
        assert timeline.load_history(s, key).seen.size == 0


def test_a_single_chunk_is_left_alone(tenant, actor, mugs):
    add(tenant, actor, range(1))
    with scope(tenant, actor=actor) as s:
        before = chunks(s)
        merge_profiles(s, [derive_profile_key(s, "ann")])
        assert chunks(s) == before


def test_more_than_a_chunk_full_is_split(tenant, actor, mugs):
    many = [
        EventInput(item_id="mug", kind="view", profile_id="ann", at=NOW - timedelta(seconds=n))
        for n in range(900)
    ]
    with scope(tenant, actor=actor) as s:
        record_events(s, many[:450])
    with scope(tenant, actor=actor) as s:
        record_events(s, many[450:])
    with scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
        assert [count for _, count in chunks(s)] == [512, 388]
        assert timeline.load_history(s, derive_profile_key(s, "ann"), limit=2_000).events.size == 900


@pytest.mark.parametrize("limit", [1, 3])
def test_a_scan_gives_every_profile_once_with_its_whole_history(tenant, actor, mugs, limit):
    add(tenant, actor, range(5))
    with scope(tenant, actor=actor) as s:
        record_events(s, [EventInput(item_id="cup", kind="view", profile_id="bob", at=NOW)])
    histories = list(timeline.scan_histories(tenant, actor=actor, page_size=limit))
    assert sorted(events.size for _, events in histories) == [1, 5]
