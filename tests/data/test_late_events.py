"""Late and repeated events are put in order when chunks merge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tenants.data.actions.events import record_events
from tenants.data.actions.merge import MAX_CHUNKS, find_merge_candidates, merge_profiles
from tenants.data.queries import counters, timeline
from tenants.data.queries.profiles import derive_profile_key
from tenants.data.types import EventInput
from tenants.scope import scope

NOW = datetime.now(UTC).replace(microsecond=0)


def build_view(second: int, **fields: object) -> EventInput:
    """A view that happened `second` seconds ago."""
    return EventInput(
        **{"item_id": "mug", "kind": "view", "profile_id": "ann", "at": NOW - timedelta(seconds=second)}
        | fields
    )


def send(tenant, actor, *events: EventInput) -> None:
    with scope(tenant, actor=actor) as s:
        assert record_events(s, events).rejected == []


def merge(tenant, actor) -> int:
    with scope(tenant, actor=actor) as s:
        return merge_profiles(s, [derive_profile_key(s, "ann")]).repeats


def list_chunks(tenant, actor) -> list[tuple[int, datetime, datetime]]:
    sql = "SELECT count, first_at, last_at FROM data_timeline WHERE tenant_id = %s ORDER BY profile_key, seq"
    with scope(tenant, actor=actor) as s:
        return s.cursor().execute(sql, (tenant.id,)).fetchall()


def fill_one_chunk(tenant, actor) -> None:
    """One full chunk and one with 88 events, from 2,000 to 1,401 seconds ago."""
    send(tenant, actor, *(build_view(2000 - n, id=f"e{n}") for n in range(600)))
    merge(tenant, actor)
    assert [count for count, *_ in list_chunks(tenant, actor)] == [512, 88]


def test_ingest_writes_no_full_chunk(tenant, actor, mugs):
    send(tenant, actor, *(build_view(n) for n in range(1000)))
    assert [count for count, *_ in list_chunks(tenant, actor)] == [511, 489]


def test_a_repeat_of_an_event_in_a_full_chunk_is_dropped_and_subtracted_from_the_counters(
    tenant, actor, mugs
):
    fill_one_chunk(tenant, actor)
    send(tenant, actor, build_view(2000, id="e0"), build_view(1000, id="new"))
    assert merge(tenant, actor) == 1
    assert sum(count for count, *_ in list_chunks(tenant, actor)) == 601
    with scope(tenant, actor=actor) as s:
        assert (
            sum(
                row.count for row in counters.list_daily_counts(s, NOW.date() - timedelta(days=1), NOW.date())
            )
            == 601
        )


def test_late_events_are_sorted_by_time(tenant, actor, mugs):
    fill_one_chunk(tenant, actor)
    send(tenant, actor, *(build_view(3000 - n) for n in range(500)))
    merge(tenant, actor)
    times = [time for _, first_at, last_at in list_chunks(tenant, actor) for time in (first_at, last_at)]
    assert times == sorted(times)
    with scope(tenant, actor=actor) as s:
        assert (
            timeline.load_history(s, derive_profile_key(s, "ann"), limit=1).events["at"][-1]
            == (NOW - timedelta(seconds=1401)).timestamp() * 1000
        )


def test_the_attributed_count_of_a_repeat_is_corrected(tenant, actor, mugs):
    for second in (5, 6):
        send(tenant, actor, build_view(second, id="same", recommendation_id="r1"))
    merge(tenant, actor)
    with scope(tenant, actor=actor) as s:
        rows = counters.list_daily_counts(s, NOW.date() - timedelta(days=1), NOW.date())
    totals = {
        metric: sum(row.count for row in rows if row.metric == metric) for metric in ("events", "attributed")
    }
    assert totals == {"events": 1, "attributed": 1}


def test_a_few_new_chunks_do_not_trigger_a_merge_with_a_large_one(tenant, actor, mugs):
    send(tenant, actor, *(build_view(n) for n in range(100)))
    for n in range(4):
        send(tenant, actor, build_view(n))
    with scope(tenant, actor=actor) as s:
        assert find_merge_candidates(s) == []
    for n in range(50):
        send(tenant, actor, build_view(n))
    with scope(tenant, actor=actor) as s:
        assert find_merge_candidates(s) == [derive_profile_key(s, "ann")]


def test_candidates_continue_after_a_key(tenant, actor, mugs):
    for name in ("ann", "bob"):
        for n in range(4):
            send(tenant, actor, build_view(n, profile_id=name))
    with scope(tenant, actor=actor) as s:
        both = find_merge_candidates(s)
        assert len(both) == 2
        assert find_merge_candidates(s, after=both[0]) == both[1:]
        assert find_merge_candidates(s, after=both[1]) == []


def test_a_profile_with_remaining_chunks_is_returned_as_unfinished(tenant, actor, mugs):
    for n in range(MAX_CHUNKS + 3):
        send(tenant, actor, build_view(n))
    with scope(tenant, actor=actor) as s:
        assert merge_profiles(s, [derive_profile_key(s, "ann")]).unfinished_keys
    with scope(tenant, actor=actor) as s:
        assert not merge_profiles(s, [derive_profile_key(s, "ann")]).unfinished_keys
        assert (
            timeline.load_history(s, derive_profile_key(s, "ann"), limit=1000).events.size == MAX_CHUNKS + 3
        )


def test_a_merge_between_two_pages_of_a_scan_hides_and_duplicates_no_event(tenant, actor, mugs):
    for name in ("ann", "bob"):
        for n in range(4):
            send(tenant, actor, build_view(n, profile_id=name, item_id="cup"))
    pages = timeline.scan_histories(tenant, actor=actor, page_size=6)
    first_key, first_at = next(pages)
    with scope(tenant, actor=actor) as s:
        (second_key,) = find_merge_candidates(s, after=first_key)
        merge_profiles(s, [second_key])
    assert [first_at.size, *(events.size for _, events in pages)] == [4, 4]
