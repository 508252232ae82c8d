"""Items like an item."""

from __future__ import annotations

import numpy as np

from recommender.serving import select
from recommender.serving.recommend import checked, presented
from recommender.serving.scoring import alike
from recommender.serving.spaces import spaces
from recommender.serving.types import RecommendedItem
from tenants.data.queries import catalog
from tenants.regions import TenantRef
from tenants.scope import Actor, scope


def similar(tenant: TenantRef, item_id: str, k: int, *, actor: Actor) -> list[RecommendedItem]:
    """At most `k`, the likest first, never the item itself. Raises NotFound; a foreign id is not found."""
    ready = spaces().ready(tenant)
    with scope(tenant, actor=actor) as s:
        own = np.array([catalog.item_no(s, item_id)], dtype=np.int64)
        slot = ready.columns.slots_of(own)
        if not slot.size:
            return []
        ranking = alike(ready, slot)
        allowed = select.allowed_slots(ready.columns, None, slot)
        chosen = checked(s, ready, ranking, allowed, k, None)
        return [presented(one, []) for one in chosen]
