"""What a batch of events does, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tenants.data.actions.events import record_events
from tenants.data.queries import counters, timeline
from tenants.data.queries.profiles import derive_profile_key
from tenants.data.types import EventInput
from tenants.errors import TooLarge
from tenants.scope import scope

NOW = datetime.now(UTC).replace(microsecond=0)


def event(item_id: str = "mug", **fields: object) -> EventInput:
    values = {"item_id": item_id, "kind": "view", "profile_id": "ann", "at": NOW, **fields}
    return EventInput(**values)  # type: ignore[arg-type]


def history(tenant, actor, profile_id: str = "ann"):
    with scope(tenant, actor=actor) as s:
        return timeline.load_history(s, derive_profile_key(s, profile_id)).events


def record(tenant, actor, *events: EventInput):
    with scope(tenant, actor=actor) as s:
        return record_events(s, events)


def test_events_come_back_oldest_first(tenant, actor, mugs):
    record(tenant, actor, event("cup", at=NOW), event("mug", at=NOW - timedelta(hours=1)))
    assert np.diff(history(tenant, actor)["at"]).tolist() == [3_600_000]


def test_a_profile_has_one_chunk_for_each_batch(tenant, actor, mugs):
    record(tenant, actor, *(event(at=NOW - timedelta(minutes=n)) for n in range(5)))
    with scope(tenant, actor=actor) as s:
        counts = (
            s.cursor()
            .execute("SELECT count FROM data_timeline WHERE tenant_id = %s", (tenant.id,))
            .fetchall()
        )
    assert counts == [(5,)]


def test_an_unknown_item_is_returned_and_its_neighbours_are_kept(tenant, actor, mugs):
    receipt = record(tenant, actor, event("mug"), event("nothing"), event("cup"))
    assert receipt.accepted == 2
    assert [(e.row, e.pointer, e.code) for e in receipt.rejected] == [
        (1, "/events/1/item_id", "unknown_item")
    ]
    assert history(tenant, actor).size == 2


def test_an_unknown_item_counts_as_soon_as_it_exists(tenant, actor, mugs, add_items):
    assert record(tenant, actor, event("plate")).accepted == 0
    add_items(tenant, "plate")
    assert record(tenant, actor, event("plate")).accepted == 1


def test_the_same_batch_again_has_no_second_effect(tenant, actor, mugs):
    batch = [event("mug"), event("cup")]
    record(tenant, actor, *batch)
    repeated = record(tenant, actor, *batch)
    assert (repeated.accepted, repeated.duplicates, repeated.batch_repeated) == (0, 2, True)
    assert history(tenant, actor).size == 2


def test_a_repeated_batch_tries_rejected_rows_again_and_only_those(tenant, actor, mugs, add_items):
    batch = [event("mug"), event("plate")]
    record(tenant, actor, *batch)
    add_items(tenant, "plate")
    receipt = record(tenant, actor, *batch)
    assert (receipt.accepted, receipt.duplicates) == (1, 1)
    assert record(tenant, actor, *batch).batch_repeated
    assert history(tenant, actor).size == 2


def test_equal_events_without_time_and_id_are_all_meant(tenant, actor, mugs):
    record(tenant, actor, event(at=None))
    record(tenant, actor, event(at=None))
    assert history(tenant, actor).size == 2


def test_an_event_id_counts_once_within_a_batch(tenant, actor, mugs):
    receipt = record(tenant, actor, event(id="e1"), event("cup", id="e1"))
    assert (receipt.accepted, receipt.duplicates) == (1, 1)


def test_an_event_id_is_an_event_of_its_profile(tenant, actor, mugs):
    receipt = record(tenant, actor, event(id="e1"), event(id="e1", profile_id="bob"))
    assert (receipt.accepted, receipt.duplicates) == (2, 0)


def test_a_commit_of_events_waits_for_the_disk(tenant, actor, mugs):
    with scope(tenant, actor=actor) as s:
        record_events(s, [event()])
        assert s.cursor().execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_an_event_id_counts_once_across_batches_when_read(tenant, actor, mugs):
    record(tenant, actor, event(id="e1"))
    record(tenant, actor, event(id="e1", value=1.0))
    assert history(tenant, actor).size == 1


def test_an_event_from_the_future_is_returned(tenant, actor, mugs):
    receipt = record(tenant, actor, event(at=datetime.now(UTC) + timedelta(hours=1)))
    assert [error.code for error in receipt.rejected] == ["in_the_future"]


def test_an_event_older_than_retention_is_returned(tenant, actor, mugs):
    receipt = record(tenant, actor, event(at=NOW - timedelta(days=396)))
    assert [error.code for error in receipt.rejected] == ["older_than_retention"]


def test_an_event_without_profile_and_session_is_returned(tenant, actor, mugs):
    receipt = record(tenant, actor, event(profile_id=None))
    assert [error.code for error in receipt.rejected] == ["missing_profile"]


def test_a_session_is_not_the_profile_of_the_same_name(tenant, actor, mugs):
    record(tenant, actor, event(profile_id=None, session_id="ann"))
    assert history(tenant, actor, "ann").size == 0


def test_a_refusing_profile_is_not_recorded(tenant, actor, mugs, add_profile):
    add_profile(tenant, "ann", consent="refused")
    receipt = record(tenant, actor, event(), event(profile_id="bob"))
    assert [(error.row, error.code) for error in receipt.rejected] == [(0, "consent_refused")]
    assert (history(tenant, actor).size, history(tenant, actor, "bob").size) == (0, 1)


def test_an_opt_in_vertical_records_only_who_consented(make_tenant, actor, add_items, add_profile):
    school = make_tenant(vertical="education")
    add_items(school, "mug")
    add_profile(school, "ann", consent="granted")
    receipt = record(school, actor, event(), event(profile_id="bob"))
    assert receipt.accepted == 1
    assert [(error.row, error.code) for error in receipt.rejected] == [(1, "consent_missing")]


def test_a_new_kind_is_registered_with_weight_one(tenant, actor, mugs):
    record(tenant, actor, event(kind="wishlist"))
    from tenants.data.queries import tenant_state

    with scope(tenant, actor=actor) as s:
        assert tenant_state.get_state(s).event_kinds["wishlist"].weight == 1.0


def test_counters_count_what_was_accepted(tenant, actor, mugs):
    record(
        tenant,
        actor,
        event(),
        event("cup"),
        event("nothing"),
        event("cup", kind="click", recommendation_id="r"),
    )
    with scope(tenant, actor=actor) as s:
        rows = counters.list_daily_counts(s, NOW.date(), NOW.date())
    assert {(row.metric, row.kind): row.count for row in rows} == {
        ("events", "view"): 2,
        ("events", "click"): 1,
        ("attributed", "click"): 1,
    }


def test_more_than_a_thousand_events_are_refused_whole(tenant, actor, mugs):
    with scope(tenant, actor=actor) as s, pytest.raises(TooLarge):
        record_events(s, [event()] * 1_001)


def test_an_error_in_the_scope_leaves_nothing(tenant, actor, mugs):
    def failing() -> None:
        with scope(tenant, actor=actor) as s:
            record_events(s, [event()])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert history(tenant, actor).size == 0


def test_a_stranger_sees_nothing_of_the_same_profile_name(tenant, stranger_tenant, actor, mugs):
    record(tenant, actor, event())
    assert history(stranger_tenant, actor).size == 0
