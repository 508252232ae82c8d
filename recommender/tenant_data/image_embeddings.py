"""Vectors of a tenant's item images, as models read them. They are made by recommender.training.new_image_embeddings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.features.images import EMBEDDING_WIDTH, ENCODER_NAME
from recommender.types import Float16Array, Float32Array
from tenants.data.queries import image_embeddings
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

_PAGE_SIZE = 5_000


def load_item_embeddings(
    tenant: TenantRef, item_numbers: NDArray[np.int32], *, actor: Actor
) -> Float16Array | None:
    """float16 (items, 2048) in the order of `item_no`, zero where there is no image; None where there is none at all."""
    found = np.zeros((0, EMBEDDING_WIDTH), np.float16)
    for start in range(0, item_numbers.size, _PAGE_SIZE):
        with scope(tenant, actor=actor) as s:
            known = load_embeddings_by_number(s, item_numbers[start : start + _PAGE_SIZE].tolist())
        if known and not len(found):
            found = np.zeros((item_numbers.size, EMBEDDING_WIDTH), np.float16)
        for place, number in enumerate(item_numbers[start : start + _PAGE_SIZE].tolist()):
            if number in known:
                found[start + place] = known[number]
    return found if len(found) else None


def load_embeddings_by_number(s: Scope, numbers: list[int]) -> dict[int, Float16Array]:
    """float16 (2048) of those items whose image was read."""
    stored = image_embeddings.load_embeddings(s, ENCODER_NAME, numbers)
    return {
        no: np.frombuffer(body, np.float16) for no, body in stored.items() if len(body) == 2 * EMBEDDING_WIDTH
    }


def to_bytes(vector: Float32Array) -> bytes:
    return vector.astype(np.float16).tobytes()
