"""Items that are similar to one item."""

from __future__ import annotations

from typing import Literal

import numpy as np
from django.utils.translation import gettext as _

from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.serving.content_scoring import SlotArray, compute_content_similarity, score_by_content
from recommender.serving.ranking import Ranking
from recommender.serving.recommend import mask_allowed_slots, select_available_items, to_recommended_item
from recommender.serving.scoring import has_behavioural_model, rank_by_model
from recommender.serving.snapshot.cache import get_snapshot_cache
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import RecommendationReason, RecommendedItem
from tenants.data.queries import catalog
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

SimilarityMode = Literal["all", "image"]


def find_similar_items(
    tenant: TenantRef,
    item_id: str,
    k: int,
    *,
    mode: SimilarityMode = "all",
    actor: Actor,
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
            ranking = _rank_similar_images(snapshot, slot)
            reasons.append(RecommendationReason("similar_image", _("Looks alike"), [item_id]))
        else:
            ranking = _rank_similar(snapshot, slot)
        allowed = mask_allowed_slots(snapshot.catalogue, None, slot)
        selected = select_available_items(
            s,
            snapshot,
            ranking,
            allowed,
            k,
            None,
        )
        return [to_recommended_item(item, reasons) for item in selected]


def _rank_similar(snapshot: TenantSnapshot, slot: SlotArray) -> Ranking:
    """Scores all slots by similarity with one item; `slot` has length 1.

    Uses content (texts, images, triples or shared attributes). If no item has content in common with it, uses the ensemble
    with the item as the only event of the history.
    """
    weight = np.ones(slot.size, dtype=np.float32)
    content = score_by_content(snapshot, slot)
    is_trained = slot[0] < snapshot.n_model_items
    if not content.scores.any() and is_trained and has_behavioural_model(snapshot):
        return rank_by_model(
            snapshot,
            slot,
            weight,
            "model_session",
            explain=False,
        )
    return Ranking(
        "content",
        content.scores,
        slot,
        weight,
    )


def _rank_similar_images(snapshot: TenantSnapshot, slot: SlotArray) -> Ranking:
    """Scores all slots by the cosine of image embeddings with one item; `slot` has length 1.

    Items without an image embedding get -inf. All items get -inf if the item itself has none.
    """
    weight = np.ones(slot.size, dtype=np.float32)
    n_slots, n_model_items = snapshot.catalogue.n_slots, snapshot.n_model_items
    no_result = Ranking(
        "content",
        np.full(n_slots, -np.inf, np.float32),
        slot,
        weight,
    )
    if snapshot.visual_model is None:
        return no_result
    scores = compute_content_similarity(
        snapshot,
        VisualSimilarity.name,
        slot,
        weight,
    )
    if not scores.any():
        return no_result
    has_embedding = np.zeros(n_slots, dtype=bool)
    # Trained vectors first, then those of items added later: the order of the slots.
    has_embedding[:n_model_items] = snapshot.visual_model.has_vector
    new_vectors = snapshot.new_item_vectors.get(VisualSimilarity.name)
    if new_vectors is not None:
        # The differences of a CSR matrix's indptr are the number of stored values of each row.
        row_lengths = np.diff(new_vectors.indptr)
        has_embedding[n_model_items : n_model_items + new_vectors.shape[0]] = row_lengths > 0
    return Ranking(
        "content",
        np.where(has_embedding, scores, np.float32(-np.inf)),
        slot,
        weight,
    )
