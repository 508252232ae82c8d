"""When a tenant's model is old enough, measured in new events, to be trained again. No torch here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from recommender.registry import queries
from recommender.registry.types import VersionView
from tenants.data.actions import jobs
from tenants.data.queries import space, timeline
from tenants.data.types import JobView
from tenants.errors import NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

LEAST_EVENTS = 200
LEAST_SHARE = 0.1
LEAST_AGE = timedelta(hours=1)


def request_if_due(tenant: TenantRef, *, actor: Actor) -> JobView | None:
    """Queues a fast training when at least 200 events, and a tenth of what was known, came since the last."""
    with scope(tenant, actor=actor) as s:
        newest = next(iter(queries.versions(s, limit=1)), None)
        if not _due(s, newest):
            return None
        profile = newest.profile if newest else "fast"
        return jobs.request_job(s, "train", parameters={"profile": profile, "scheduled": True})


def _due(s: Scope, newest: VersionView | None) -> bool:
    try:
        last_event_at = space.state(s).last_event_at
    except NotFound:
        return False
    if last_event_at is None:
        return False
    if newest is None:
        return timeline.total(s) >= LEAST_EVENTS
    if last_event_at < newest.trained_at or datetime.now(UTC) - newest.trained_at < LEAST_AGE:
        return False
    known = int(newest.metrics.get("data", {}).get("events_stored", 0))
    return timeline.total(s) - known >= max(LEAST_EVENTS, LEAST_SHARE * known)
