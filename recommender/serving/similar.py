"""Items like an item."""

from __future__ import annotations

from typing import Literal

import numpy as np
from django.utils.translation import gettext as _

from recommender.serving import select
from recommender.serving.recommend import select_available_items, to_recommended_item
from recommender.serving.scoring import rank_similar, rank_similar_images
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.types import RecommendationReason, RecommendedItem
from tenants.data.queries import catalog
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

SimilarityMode = Literal["all", "look"]


def find_similar_items(
    tenant: TenantRef, item_id: str, k: int, *, mode: SimilarityMode = "all", actor: Actor
) -> list[RecommendedItem]:
    """At most `k`, the likest first, never the item itself. Raises NotFound; a foreign id is not found.

    By `look` only items whose images were read when the model was made, or came since; none for an item without.
    """
    ready = get_snapshot_cache().get_snapshot(tenant)
    with scope(tenant, actor=actor) as s:
        own = np.array([catalog.get_item_no(s, item_id)], dtype=np.int64)
        slot = ready.catalogue.get_slots(own)
        if not slot.size:
            return []
        ranking = rank_similar_images(ready, slot) if mode == "look" else rank_similar(ready, slot)
        allowed = select.mask_allowed_slots(ready.catalogue, None, slot)
        chosen = select_available_items(s, ready, ranking, allowed, k, None)
        why = [RecommendationReason("similar_image", _("Looks alike"), [item_id])] if mode == "look" else []
        return [to_recommended_item(one, why) for one in chosen]
