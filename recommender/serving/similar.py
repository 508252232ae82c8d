"""Items that are similar to one item."""

from __future__ import annotations

from typing import Literal

import numpy as np
from django.utils.translation import gettext as _

from recommender.serving.recommend import mask_allowed_slots, select_available_items, to_recommended_item
from recommender.serving.scoring import rank_similar, rank_similar_images
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.types import RecommendationReason, RecommendedItem
from tenants.data.queries import catalog
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

SimilarityMode = Literal["all", "image"]


def find_similar_items(
    tenant: TenantRef, item_id: str, k: int, *, mode: SimilarityMode = "all", actor: Actor
) -> list[RecommendedItem]:
    """Returns at most `k` items by descending similarity, never the item itself.

    Args:
        tenant: the tenant whose catalogue is searched.
        item_id: the tenant's id of the item.
        k: the largest number of items.
        mode: "all" uses all content models; "image" uses image embeddings only and returns nothing if the item has none.
        actor: recorded with the scope.

    Raises:
        NotFound: the tenant has no such item.
    """
    snapshot = get_snapshot_cache().get_snapshot(tenant)
    with scope(tenant, actor=actor) as s:
        item_number = np.array([catalog.get_item_no(s, item_id)], dtype=np.int64)
        slot = snapshot.catalogue.get_slots(item_number)
        if not slot.size:
            return []
        reasons: list[RecommendationReason] = []
        if mode == "image":
            ranking = rank_similar_images(snapshot, slot)
            reasons.append(RecommendationReason("similar_image", _("Looks alike"), [item_id]))
        else:
            ranking = rank_similar(snapshot, slot)
        allowed = mask_allowed_slots(snapshot.catalogue, None, slot)
        selected = select_available_items(s, snapshot, ranking, allowed, k, None)
        return [to_recommended_item(item, reasons) for item in selected]
