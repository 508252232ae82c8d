"""Vectors of items that came after the model was made, in the spaces of its members that know items by what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from recommender.algorithms.content.embedding_similarity import EmbeddingSimilarity
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.features.images import EMBEDDING_WIDTH
from recommender.tenant_data.interactions import build_item_text
from recommender.types import Float16Array
from tenants.data.types import StoredItem

ContentModel = TfidfContent | EmbeddingSimilarity[Any]
NewItemVectors = Mapping[str, Any]
"""By member: float32 CSR (slots behind the model's, n); rows of zeros where nothing is known."""


@dataclass(frozen=True, slots=True)
class ItemSideData:
    """What items are beside their catalogue entry, by item number: vectors of their images, and what is stated of them."""

    image_embeddings: Mapping[int, Float16Array] = field(default_factory=dict)
    triple_tokens: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def update_new_item_vectors(
    previous: NewItemVectors,
    model: ContentModel,
    changed_items: Sequence[tuple[int, StoredItem]],
    side_data: ItemSideData,
    n_new_items: int,
) -> Any:
    """The member's vectors of `width` newcomers: `late` are (place among them, item) that are new or changed."""
    fresh = sparse.csr_matrix(_encode_items(model, [stored for _, stored in changed_items], side_data))
    places = [place for place, _ in changed_items]
    put = sparse.csr_matrix(
        (np.ones(len(changed_items), np.float32), (places, range(len(changed_items)))),
        shape=(n_new_items, len(changed_items)),
    )
    before = previous.get(model.name)
    if before is None:
        return sparse.csr_matrix(put @ fresh)
    kept = np.ones(before.shape[0], dtype=np.float32)
    kept[[place for place in places if place < kept.size]] = 0
    stays = sparse.csr_matrix(sparse.diags(kept) @ before)
    stays.resize(n_new_items, fresh.shape[1])
    return sparse.csr_matrix(stays + put @ fresh)


def _encode_items(model: ContentModel, items: Sequence[StoredItem], side_data: ItemSideData) -> Any:
    if isinstance(model, TfidfContent):
        return model.transform_texts([build_item_text(stored.item) for stored in items])
    if isinstance(model, VisualSimilarity):
        nothing = np.zeros(EMBEDDING_WIDTH, np.float16)
        return model.transform_images(
            np.stack([side_data.image_embeddings.get(one.item_no, nothing) for one in items])
        )
    if isinstance(model, TripleSimilarity):
        return model.transform_tokens([side_data.triple_tokens.get(one.item_no, ()) for one in items])
    raise TypeError(f"{model.name} does not describe items.")
