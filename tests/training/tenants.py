"""Small tenants with known behaviour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from tenants.data.actions import catalog, events, jobs
from tenants.data.types import EventInput, ItemInput
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

ITEMS = 60
PROFILES = 150
LENGTH = 8


def ingest_events(
    tenant: TenantRef, actor: Actor, next_item: Callable[[int, int], int], *, kind: str = "view"
) -> None:
    """Stores `ITEMS` items and one event per profile and step, on the item `next_item(profile, step)`."""
    start = datetime.now(UTC) - timedelta(days=30)
    with scope(tenant, actor=actor) as s:
        catalog.upsert_items(
            s,
            [ItemInput(id=f"i{n}", title=f"Thing {n}", categories=[f"shelf {n % 6}"]) for n in range(ITEMS)],
        )
    rows = [
        EventInput(
            item_id=f"i{next_item(profile, step)}",
            kind=kind,
            profile_id=f"p{profile}",
            at=start + timedelta(hours=6 * step, minutes=profile),
        )
        for profile in range(PROFILES)
        for step in range(LENGTH)
    ]
    for start_row in range(0, len(rows), 1000):
        with scope(tenant, actor=actor) as s:
            receipt = events.record_events(s, rows[start_row : start_row + 1000])
        assert receipt.rejected == []


def walk_in_order(profile: int, step: int) -> int:
    """Every profile visits the items in order, each from a start of its own."""
    return (profile * 7 + step) % ITEMS


def build_popularity_walk() -> Callable[[int, int], int]:
    """Items are drawn by popularity alone, without any order."""
    rng = np.random.default_rng(7)
    probabilities = 1 / np.arange(1, ITEMS + 1)
    probabilities /= probabilities.sum()
    choices = [rng.choice(ITEMS, LENGTH, replace=False, p=probabilities) for _ in range(PROFILES)]
    return lambda profile, step: int(choices[profile][step])


def request_training(tenant: TenantRef, actor: Actor) -> UUID:
    """Requests a training job; its message stays in the outbox."""
    with scope(tenant, actor=actor) as s:
        return jobs.request_job(s, "train", parameters={"profile": "fast"}).id
