"""Events older than the retention are deleted, also from chunks that contain newer events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from tenants.data.actions.events import record_events
from tenants.data.actions.merge import merge_profiles
from tenants.data.actions.retention import enforce_retention
from tenants.data.actions.tenant_settings import update_privacy
from tenants.data.queries import tenant_state, timeline
from tenants.data.queries.profiles import derive_profile_key
from tenants.data.types import EventInput
from tenants.scope import scope

NOW = datetime.now(UTC).replace(microsecond=0)


def set_retention(tenant, actor, days: int) -> None:
    with scope(tenant, actor=actor) as s:
        update_privacy(s, structs.replace(tenant_state.get_state(s).privacy, event_retention_days=days))


def send(tenant, actor, *days_ago: int, item: str = "mug", profile: str = "ann") -> None:
    events = [
        EventInput(item_id=item, kind="view", profile_id=profile, at=NOW - timedelta(days=age))
        for age in days_ago
    ]
    with scope(tenant, actor=actor) as s:
        assert record_events(s, events).accepted == len(events)


def load_history(tenant, actor, profile: str = "ann") -> timeline.ProfileHistory:
    with scope(tenant, actor=actor) as s:
        return timeline.load_history(s, derive_profile_key(s, profile))


@pytest.fixture
def tenant_with_old_events(tenant, actor, mugs):
    """Ann has a merged chunk with two old mugs and a new cup. Bob has old events only."""
    send(tenant, actor, 50, 40)
    send(tenant, actor, 5, item="cup")
    with scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
    send(tenant, actor, 45, profile="bob")
    set_retention(tenant, actor, 30)
    return tenant


def test_expired_events_are_deleted_and_others_are_not(tenant_with_old_events, actor):
    assert enforce_retention(tenant_with_old_events, actor=actor)["timeline"] == 3
    assert (
        load_history(tenant_with_old_events, actor).events.size,
        load_history(tenant_with_old_events, actor, "bob").events.size,
    ) == (1, 0)


def test_seen_items_of_expired_events_are_deleted(tenant_with_old_events, actor):
    assert load_history(tenant_with_old_events, actor).seen.size == 2
    enforce_retention(tenant_with_old_events, actor=actor)
    remaining = load_history(tenant_with_old_events, actor)
    assert remaining.seen.tolist() == remaining.events["item"].tolist()


def test_a_second_run_deletes_nothing(tenant_with_old_events, actor):
    enforce_retention(tenant_with_old_events, actor=actor)
    assert enforce_retention(tenant_with_old_events, actor=actor)["timeline"] == 0


def test_every_page_of_profiles_is_visited(tenant, actor, mugs, monkeypatch):
    monkeypatch.setattr("tenants.data.actions.retention.PAGE_SIZE", 2)
    for name in ("a", "b", "c", "d", "e"):
        send(tenant, actor, 45, 5, profile=name)
    set_retention(tenant, actor, 30)
    assert enforce_retention(tenant, actor=actor)["timeline"] == 5


def test_a_merge_drops_expired_events(tenant_with_old_events, actor):
    send(tenant_with_old_events, actor, 4, item="cup")
    with scope(tenant_with_old_events, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
    assert load_history(tenant_with_old_events, actor).events.size == 2


def test_a_merge_of_expired_events_leaves_no_events(tenant, actor, mugs):
    for day in (50, 49):
        send(tenant, actor, day)
    set_retention(tenant, actor, 30)
    with scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
    assert load_history(tenant, actor).events.size == 0
