"""An erased profile is deleted from every table, and earlier events are not recorded again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from tenants.data.actions import catalog, profiles
from tenants.data.actions.events import record_events
from tenants.data.actions.reviews import record_reviews
from tenants.data.queries import timeline
from tenants.data.queries.profiles import derive_profile_key
from tenants.data.types import EventInput, ItemInput, ProfileInput, ReviewInput
from tenants.keys.queries import list_tombstones
from tenants.privacy.erasure import TABLES, erase_profile
from tenants.scope import scope

BEFORE = datetime.now(UTC) - timedelta(minutes=5)


def build_event(at: datetime, **fields: str) -> EventInput:
    return EventInput(item_id="mug", kind="view", profile_id="ann", at=at, **fields)


@pytest.fixture
def tenant_with_ann(tenant, actor):
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="mug")])
        profiles.upsert_profiles(s, [ProfileInput(id="ann")])
        record_events(s, [build_event(BEFORE)])
        record_reviews(s, [ReviewInput(item_id="mug", profile_id="ann", text="good")])
    return tenant


def count_rows(tenant, actor) -> int:
    with scope(tenant, actor=actor) as s:
        key = derive_profile_key(s, "ann")
        sql = "SELECT count(*) FROM {} WHERE tenant_id = %s AND profile_key = %s"
        return sum(s.cursor().execute(sql.format(t), (tenant.id, key)).fetchone()[0] for t in TABLES)


def test_every_table_is_emptied(tenant_with_ann, actor):
    assert count_rows(tenant_with_ann, actor) == 3
    erase_profile(tenant_with_ann, "ann", actor=actor)
    assert count_rows(tenant_with_ann, actor) == 0


def test_an_erasure_is_recorded_in_the_ledger(tenant_with_ann, actor):
    erase_profile(tenant_with_ann, "ann", actor=actor)
    assert len(list_tombstones(tenant_with_ann, actor=actor)) == 1


def test_an_event_from_before_the_erasure_is_rejected(tenant_with_ann, actor):
    erase_profile(tenant_with_ann, "ann", actor=actor)
    with scope(tenant_with_ann, actor=actor) as s:
        receipt = record_events(s, [build_event(BEFORE, id="late")])
    assert [error.code for error in receipt.rejected] == ["erased_profile"]


def test_a_later_event_starts_a_new_history(tenant_with_ann, actor):
    erase_profile(tenant_with_ann, "ann", actor=actor)
    with scope(tenant_with_ann, actor=actor) as s:
        record_events(s, [build_event(datetime.now(UTC))])
        assert timeline.load_history(s, derive_profile_key(s, "ann")).events.size == 1


def test_events_of_an_ingest_that_started_before_the_erasure_are_erased(tenant_with_ann, actor):
    written, erased = threading.Event(), threading.Event()

    def ingest_slowly() -> None:
        with scope(tenant_with_ann, actor=actor) as s:
            record_events(s, [build_event(BEFORE, id="slow")])
            written.set()
            erased.wait(0.5)
        connections.close_all()

    thread = threading.Thread(target=ingest_slowly)
    thread.start()
    written.wait(10)
    erase_profile(tenant_with_ann, "ann", actor=actor)
    erased.set()
    thread.join()
    assert count_rows(tenant_with_ann, actor) == 0


def test_erasing_twice_deletes_nothing_more(tenant_with_ann, actor):
    erase_profile(tenant_with_ann, "ann", actor=actor)
    assert set(erase_profile(tenant_with_ann, "ann", actor=actor).deleted.values()) == {0}
