"""What is older than a tenant keeps goes away, also from chunks that reach over the boundary; the rest stays."""

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


def keep_for(tenant, actor, days: int) -> None:
    with scope(tenant, actor=actor) as s:
        update_privacy(s, structs.replace(tenant_state.get_state(s).privacy, event_retention_days=days))


def send(tenant, actor, *days_ago: int, item: str = "mug", profile: str = "ann") -> None:
    events = [
        EventInput(item_id=item, kind="view", profile_id=profile, at=NOW - timedelta(days=age))
        for age in days_ago
    ]
    with scope(tenant, actor=actor) as s:
        assert record_events(s, events).accepted == len(events)


def history(tenant, actor, profile: str = "ann") -> timeline.ProfileHistory:
    with scope(tenant, actor=actor) as s:
        return timeline.load_history(s, derive_profile_key(s, profile))


@pytest.fixture
def mixed(tenant, actor, mugs):
    """Ann: a merged chunk with an old mug and a new cup; bob: old only."""
    send(tenant, actor, 50, 40)
    send(tenant, actor, 5, item="cup")
    with scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
    send(tenant, actor, 45, profile="bob")
    keep_for(tenant, actor, 30)
    return tenant


def test_old_events_go_and_new_ones_stay(mixed, actor):
    assert enforce_retention(mixed, actor=actor)["timeline"] == 3
    assert (history(mixed, actor).events.size, history(mixed, actor, "bob").events.size) == (1, 0)


def test_what_was_seen_in_old_events_is_forgotten(mixed, actor):
    assert history(mixed, actor).seen.size == 2
    enforce_retention(mixed, actor=actor)
    remaining = history(mixed, actor)
    assert remaining.seen.tolist() == remaining.events["item"].tolist()


def test_the_second_run_finds_nothing(mixed, actor):
    enforce_retention(mixed, actor=actor)
    assert enforce_retention(mixed, actor=actor)["timeline"] == 0


def test_every_page_of_profiles_is_visited(tenant, actor, mugs, monkeypatch):
    monkeypatch.setattr("tenants.data.actions.retention.PAGE_SIZE", 2)
    for name in ("a", "b", "c", "d", "e"):
        send(tenant, actor, 45, 5, profile=name)
    keep_for(tenant, actor, 30)
    assert enforce_retention(tenant, actor=actor)["timeline"] == 5


def test_a_merge_drops_what_is_too_old(mixed, actor):
    send(mixed, actor, 4, item="cup")
    with scope(mixed, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
    assert history(mixed, actor).events.size == 2


def test_a_merge_of_old_events_only_leaves_nothing(tenant, actor, mugs):
    for day in (50, 49):
        send(tenant, actor, day)
    keep_for(tenant, actor, 30)
    with scope(tenant, actor=actor) as s:
        merge_profiles(s, [derive_profile_key(s, "ann")])
    assert history(tenant, actor).events.size == 0
