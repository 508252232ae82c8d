"""When a tenant's model is old enough, measured in new events, to go on or to be trained again. No torch here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from recommender.registry import queries
from recommender.registry.types import VersionView
from tenants.data.actions import jobs
from tenants.data.queries import tenant_state, timeline
from tenants.data.types import JobView
from tenants.errors import NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

MIN_NEW_EVENTS = 200
MIN_NEW_FRACTION = 0.1
MIN_MODEL_AGE = timedelta(hours=1)
# Between two full trainings the model in service goes on from where it is.
MAX_FULL_TRAINING_AGE = timedelta(days=7)
MAX_FULL_TRAINING_GROWTH = 0.5


def request_if_due(tenant: TenantRef, *, actor: Actor) -> JobView | None:
    """Queues a training when at least 200 events, and a tenth of what was known, came since the last.

    It goes on from the model in service, unless the last full training is a week old or half of what it knew came since."""
    with scope(tenant, actor=actor) as s:
        newest = next(iter(queries.list_versions(s, limit=1)), None)
        if not _is_due(s, newest):
            return None
        parameters: dict[str, Any] = {"profile": newest.profile if newest else "fast", "scheduled": True}
        if newest is not None and _can_refresh(s, newest):
            parameters["refresh"] = True
        return jobs.request_job(s, "train", parameters=parameters)


def get_last_full_training(version: VersionView) -> dict[str, Any]:
    """When everything was last learned afresh, and how many events were stored then."""
    found = version.metrics.get("full")
    if isinstance(found, dict):
        return found
    stored = version.metrics.get("data", {}).get("events_stored", 0)
    return {"at": version.trained_at.isoformat(), "events_stored": stored}


def _can_refresh(s: Scope, newest: VersionView) -> bool:
    """A refusal is a reason to learn afresh; so is a model that serves popularity."""
    if not newest.is_active or newest.metrics.get("serves") != "model":
        return False
    full = get_last_full_training(newest)
    known = int(full["events_stored"])
    age = datetime.now(UTC) - datetime.fromisoformat(full["at"])
    return age < MAX_FULL_TRAINING_AGE and timeline.count_events(s) - known < MAX_FULL_TRAINING_GROWTH * known


def _is_due(s: Scope, newest: VersionView | None) -> bool:
    try:
        last_event_at = tenant_state.get_state(s).last_event_at
    except NotFound:
        return False
    if last_event_at is None:
        return False
    if newest is None:
        return timeline.count_events(s) >= MIN_NEW_EVENTS
    if last_event_at < newest.trained_at or datetime.now(UTC) - newest.trained_at < MIN_MODEL_AGE:
        return False
    known = int(newest.metrics.get("data", {}).get("events_stored", 0))
    return timeline.count_events(s) - known >= max(MIN_NEW_EVENTS, MIN_NEW_FRACTION * known)
