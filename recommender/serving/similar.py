"""Items like an item."""

from __future__ import annotations

from typing import Literal

import numpy as np
from django.utils.translation import gettext as _

from recommender.serving import select
from recommender.serving.recommend import checked, presented
from recommender.serving.scoring import alike, alike_by_look
from recommender.serving.spaces import spaces
from recommender.serving.types import Reason, RecommendedItem
from tenants.data.queries import catalog
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

Likeness = Literal["all", "look"]


def similar(
    tenant: TenantRef, item_id: str, k: int, *, by: Likeness = "all", actor: Actor
) -> list[RecommendedItem]:
    """At most `k`, the likest first, never the item itself. Raises NotFound; a foreign id is not found.

    By `look` only items whose images were read when the model was made, or came since; none for an item without.
    """
    ready = spaces().ready(tenant)
    with scope(tenant, actor=actor) as s:
        own = np.array([catalog.item_no(s, item_id)], dtype=np.int64)
        slot = ready.columns.slots_of(own)
        if not slot.size:
            return []
        ranking = alike_by_look(ready, slot) if by == "look" else alike(ready, slot)
        allowed = select.allowed_slots(ready.columns, None, slot)
        chosen = checked(s, ready, ranking, allowed, k, None)
        why = [Reason("looks_like", _("Looks alike"), [item_id])] if by == "look" else []
        return [presented(one, why) for one in chosen]
