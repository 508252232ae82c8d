"""Recommendations of model versions and the events that followed them, stored with times in the past.

The rows are those that serving and ingest write.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np

from recommender.registry import actions, queries
from recommender.registry.types import TrainedModel
from tenants.data.actions import catalog, events, receipts
from tenants.data.queries.profiles import derive_profile_key
from tenants.data.types import EventInput, ItemInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

NOW = datetime.now(UTC)


def publish_version(tenant: TenantRef, actor: Actor, *, days_ago: float) -> int:
    """Publishes a version that has been active for `days_ago` days. It has no files: no request loads it."""
    trained_model = TrainedModel(uuid4(), uuid4(), "fast", {"files": {}, "bytes": 1}, {}, NOW, NOW)
    with scope(tenant, actor=actor) as s:
        number = actions.publish_model(s, trained_model, expected=queries.get_active_number(s)).version
        s.cursor().execute(
            "UPDATE recommender_activemodel SET changed_at = %s WHERE tenant_id = %s",
            (NOW - timedelta(days=days_ago), tenant.id),
        )
    return number


def record_recommendations(
    tenant: TenantRef,
    actor: Actor,
    version: str,
    *,
    count: int,
    days: tuple[float, float],
    follow_rate: float,
    kind: str = "click",
    delay: timedelta = timedelta(minutes=5),
    facts: Mapping[str, object] | None = None,
    seed: int = 0,
) -> None:
    """Stores `count` receipts of the past, of which the fraction `follow_rate` is followed by an event.

    `days` bounds the age of the receipts, the greater age before the smaller one.
    """
    rng = np.random.default_rng(seed)
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(s, [ItemInput(id="thing", title="Thing")])
    ages_in_days = np.sort(rng.uniform(*days[::-1], count))[::-1]
    rows = []
    with scope(tenant, actor=actor) as s:
        for number, days_ago in enumerate(ages_in_days.tolist()):
            at, profile_id = NOW - timedelta(days=days_ago), f"p{number % 150}"
            receipt = {
                "items": [1],
                "stage": "model",
                "model": version,
                "scenario": "home",
                "k": 1,
                **(facts or {}),
            }
            recommendation_id = build_uuid7(at)
            row = receipts.build_receipt_row(s, recommendation_id, derive_profile_key(s, profile_id), receipt)
            s.cursor().execute(receipts.INSERT_RECEIPT, row)
            if rng.random() < follow_rate:
                rows.append(
                    EventInput(
                        item_id="thing",
                        kind=kind,
                        profile_id=profile_id,
                        at=at + delay,
                        recommendation_id=str(recommendation_id),
                    )
                )
    record_event_batches(tenant, actor, rows)


def record_event_batches(tenant: TenantRef, actor: Actor, rows: list[EventInput]) -> None:
    for start in range(0, len(rows), 1_000):
        with scope(tenant, actor=actor) as s:
            assert events.record_events(s, rows[start : start + 1_000]).rejected == []


def record_recent_event(tenant: TenantRef, actor: Actor) -> None:
    """Stores an event with the current time: the client's feed still works."""
    record_event_batches(
        tenant, actor, [EventInput(item_id="thing", kind="view", profile_id="p0", at=datetime.now(UTC))]
    )


def build_uuid7(at: datetime) -> UUID:
    """A UUIDv7 with the given timestamp."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62) | secrets.randbits(60))
