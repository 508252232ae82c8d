"""A batch of events is validated, recorded and counted."""

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


def build_event(item_id: str = "mug", **fields: object) -> EventInput:
    values = {"item_id": item_id, "kind": "view", "profile_id": "ann", "at": NOW, **fields}
    return EventInput(**values)  # type: ignore[arg-type]


def load_history(tenant, actor, profile_id: str = "ann"):
    with scope(tenant, actor=actor) as s:
        return timeline.load_history(s, derive_profile_key(s, profile_id)).events


def record(tenant, actor, *events: EventInput):
    with scope(tenant, actor=actor) as s:
        return record_events(s, events)


def test_events_are_returned_oldest_first(tenant, actor, mugs):
    record(tenant, actor, build_event("cup", at=NOW), build_event("mug", at=NOW - timedelta(hours=1)))
    assert np.diff(load_history(tenant, actor)["at"]).tolist() == [3_600_000]


def test_a_profile_has_one_chunk_for_each_batch(tenant, actor, mugs):
    record(tenant, actor, *(build_event(at=NOW - timedelta(minutes=n)) for n in range(5)))
    with scope(tenant, actor=actor) as s:
        counts = (
            s.cursor()
            .execute("SELECT count FROM data_timeline WHERE tenant_id = %s", (tenant.id,))
            .fetchall()
        )
    assert counts == [(5,)]


def test_an_event_of_an_unknown_item_is_rejected_and_the_others_are_recorded(tenant, actor, mugs):
    receipt = record(tenant, actor, build_event("mug"), build_event("nothing"), build_event("cup"))
    assert receipt.accepted == 2
    assert [(e.row, e.pointer, e.code) for e in receipt.rejected] == [
        (1, "/events/1/item_id", "unknown_item")
    ]
    assert load_history(tenant, actor).size == 2


def test_events_of_an_item_are_accepted_after_it_is_created(tenant, actor, mugs, add_items):
    assert record(tenant, actor, build_event("plate")).accepted == 0
    add_items(tenant, "plate")
    assert record(tenant, actor, build_event("plate")).accepted == 1


def test_a_repeated_batch_has_no_effect(tenant, actor, mugs):
    batch = [build_event("mug"), build_event("cup")]
    record(tenant, actor, *batch)
    repeated = record(tenant, actor, *batch)
    assert (repeated.accepted, repeated.duplicates, repeated.batch_repeated) == (0, 2, True)
    assert load_history(tenant, actor).size == 2


def test_a_repeated_batch_retries_only_rejected_rows(tenant, actor, mugs, add_items):
    batch = [build_event("mug"), build_event("plate")]
    record(tenant, actor, *batch)
    add_items(tenant, "plate")
    receipt = record(tenant, actor, *batch)
    assert (receipt.accepted, receipt.duplicates) == (1, 1)
    assert record(tenant, actor, *batch).batch_repeated
    assert load_history(tenant, actor).size == 2


def test_equal_events_without_time_and_id_are_all_recorded(tenant, actor, mugs):
    record(tenant, actor, build_event(at=None))
    record(tenant, actor, build_event(at=None))
    assert load_history(tenant, actor).size == 2


def test_an_event_id_counts_once_within_a_batch(tenant, actor, mugs):
    receipt = record(tenant, actor, build_event(id="e1"), build_event("cup", id="e1"))
    assert (receipt.accepted, receipt.duplicates) == (1, 1)


def test_event_ids_are_unique_per_profile(tenant, actor, mugs):
    receipt = record(tenant, actor, build_event(id="e1"), build_event(id="e1", profile_id="bob"))
    assert (receipt.accepted, receipt.duplicates) == (2, 0)


def test_events_are_committed_synchronously(tenant, actor, mugs):
    with scope(tenant, actor=actor) as s:
        record_events(s, [build_event()])
        assert s.cursor().execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_an_event_id_counts_once_across_batches_when_read(tenant, actor, mugs):
    record(tenant, actor, build_event(id="e1"))
    record(tenant, actor, build_event(id="e1", value=1.0))
    assert load_history(tenant, actor).size == 1


def test_an_event_from_the_future_is_rejected(tenant, actor, mugs):
    receipt = record(tenant, actor, build_event(at=datetime.now(UTC) + timedelta(hours=1)))
    assert [error.code for error in receipt.rejected] == ["in_the_future"]


def test_an_event_older_than_retention_is_rejected(tenant, actor, mugs):
    receipt = record(tenant, actor, build_event(at=NOW - timedelta(days=396)))
    assert [error.code for error in receipt.rejected] == ["older_than_retention"]


def test_an_event_without_profile_and_session_is_rejected(tenant, actor, mugs):
    receipt = record(tenant, actor, build_event(profile_id=None))
    assert [error.code for error in receipt.rejected] == ["missing_profile"]


def test_a_session_is_not_the_profile_of_the_same_name(tenant, actor, mugs):
    record(tenant, actor, build_event(profile_id=None, session_id="ann"))
    assert load_history(tenant, actor, "ann").size == 0


def test_a_profile_that_refuses_consent_is_not_recorded(tenant, actor, mugs, add_profile):
    add_profile(tenant, "ann", consent="refused")
    receipt = record(tenant, actor, build_event(), build_event(profile_id="bob"))
    assert [(error.row, error.code) for error in receipt.rejected] == [(0, "consent_refused")]
    assert (load_history(tenant, actor).size, load_history(tenant, actor, "bob").size) == (0, 1)


def test_an_opt_in_vertical_records_only_profiles_with_consent(make_tenant, actor, add_items, add_profile):
    school = make_tenant(vertical="education")
    add_items(school, "mug")
    add_profile(school, "ann", consent="granted")
    receipt = record(school, actor, build_event(), build_event(profile_id="bob"))
    assert receipt.accepted == 1
    assert [(error.row, error.code) for error in receipt.rejected] == [(1, "consent_missing")]


def test_a_new_kind_is_registered_with_weight_one(tenant, actor, mugs):
    record(tenant, actor, build_event(kind="wishlist"))
    from tenants.data.queries import tenant_state

    with scope(tenant, actor=actor) as s:
        assert tenant_state.get_state(s).event_kinds["wishlist"].weight == 1.0


def test_counters_count_accepted_events(tenant, actor, mugs):
    record(
        tenant,
        actor,
        build_event(),
        build_event("cup"),
        build_event("nothing"),
        build_event("cup", kind="click", recommendation_id="r"),
    )
    with scope(tenant, actor=actor) as s:
        rows = counters.list_daily_counts(s, NOW.date(), NOW.date())
    assert {(row.metric, row.kind): row.count for row in rows} == {
        ("events", "view"): 2,
        ("events", "click"): 1,
        ("attributed", "click"): 1,
    }


def test_a_batch_of_more_than_a_thousand_events_is_refused(tenant, actor, mugs):
    with scope(tenant, actor=actor) as s, pytest.raises(TooLarge):
        record_events(s, [build_event()] * 1_001)


def test_an_error_in_the_scope_rolls_events_back(tenant, actor, mugs):
    def record_and_fail() -> None:
        with scope(tenant, actor=actor) as s:
            record_events(s, [build_event()])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        record_and_fail()
    assert load_history(tenant, actor).size == 0


def test_a_stranger_sees_nothing_of_the_same_profile_name(tenant, stranger_tenant, actor, mugs):
    record(tenant, actor, build_event())
    assert load_history(stranger_tenant, actor).size == 0
