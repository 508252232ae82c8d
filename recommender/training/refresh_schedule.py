"""Decides when a tenant's model is retrained, by the number of new events, and whether by a refresh. Does not import torch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from recommender.registry import queries
from recommender.registry.types import VersionView
from recommender.registry.version_metrics import FullTraining
from tenants.data.actions import jobs
from tenants.data.queries import tenant_state, timeline
from tenants.data.types import JobView
from tenants.errors import NotFound
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

MIN_NEW_EVENTS = 200
MIN_NEW_FRACTION = 0.1
MIN_MODEL_AGE = timedelta(hours=1)
# A full training replaces a refresh if the last one is older than this, or the events grew by this fraction since.
MAX_FULL_TRAINING_AGE = timedelta(days=7)
MAX_FULL_TRAINING_GROWTH = 0.5


def request_if_due(tenant: TenantRef, *, actor: Actor) -> JobView | None:
    """Queues a training if there are at least MIN_NEW_EVENTS new events and they are MIN_NEW_FRACTION of the earlier ones.

    The training is a refresh of the active model, unless a full training is due. Returns the job, or None if none is due.
    """
    with scope(tenant, actor=actor) as s:
        newest = queries.find_newest_version(s)
        if not _is_due(s, newest):
            return None
        parameters: dict[str, Any] = {"profile": "fast", "scheduled": True}
        if newest is not None:
            parameters["profile"] = newest.profile
            if _can_refresh(s, newest):
                parameters["refresh"] = True
        return jobs.request_job(s, "train", parameters=parameters)


def get_last_full_training(version: VersionView) -> FullTraining:
    """The last training from scratch that the version is based on: an earlier one if the version is a refresh."""
    metrics = version.parsed_metrics
    if metrics.full is not None:
        return metrics.full
    return FullTraining(
        at=version.trained_at.isoformat(),
        events_stored=metrics.data.events_stored,
    )


def _can_refresh(s: Scope, newest: VersionView) -> bool:
    """A refused version is followed by a full training, and so is one that serves popularity."""
    if not newest.is_active or not newest.is_personal:
        return False
    full_training = get_last_full_training(newest)
    n_events = full_training.events_stored
    age = datetime.now(UTC) - datetime.fromisoformat(full_training.at)
    n_new_events = timeline.count_events(s) - n_events
    return age < MAX_FULL_TRAINING_AGE and n_new_events < MAX_FULL_TRAINING_GROWTH * n_events


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
    n_events = newest.parsed_metrics.data.events_stored
    return timeline.count_events(s) - n_events >= max(MIN_NEW_EVENTS, MIN_NEW_FRACTION * n_events)
