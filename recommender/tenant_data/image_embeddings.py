"""Image embeddings of a tenant's items, as stored by `recommender.training.new_image_embeddings`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.features.images import EMBEDDING_WIDTH, ENCODER_NAME
from recommender.tenant_data.paging import PAGE_SIZE
from recommender.types import Float16Array, Float32Array
from tenants.data.queries import image_embeddings
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

_BYTES_PER_VALUE = 2


def load_item_embeddings(
    tenant: TenantRef, item_numbers: NDArray[np.int32], *, actor: Actor
) -> Float16Array | None:
    """float16 (items, EMBEDDING_WIDTH) in the order of `item_numbers`; zero rows for items without an image.

    None if no item has an image.
    """
    matrix: Float16Array | None = None
    for start in range(0, item_numbers.size, PAGE_SIZE):
        numbers = item_numbers[start : start + PAGE_SIZE].tolist()
        with scope(tenant, actor=actor) as s:
            embeddings = load_embeddings_by_number(s, numbers)
        if not embeddings:
            continue
        if matrix is None:
            # Allocated at the first embedding: most tenants have no images, and the matrix is 4 KB for each item.
            matrix = np.zeros((item_numbers.size, EMBEDDING_WIDTH), np.float16)
        for row, number in enumerate(numbers, start=start):
            if number in embeddings:
                matrix[row] = embeddings[number]
    return matrix


def load_embeddings_by_number(s: Scope, numbers: list[int]) -> dict[int, Float16Array]:
    """By item number, float16 (EMBEDDING_WIDTH); without items that have no image or an unreadable one."""
    stored = image_embeddings.load_embeddings(s, ENCODER_NAME, numbers)
    embeddings: dict[int, Float16Array] = {}
    for number, body in stored.items():
        # An unreadable image is stored as an empty body.
        if len(body) == _BYTES_PER_VALUE * EMBEDDING_WIDTH:
            embeddings[number] = np.frombuffer(body, np.float16)
    return embeddings


def to_bytes(vector: Float32Array) -> bytes:
    """The stored form of an embedding: float16 in native byte order."""
    return vector.astype(np.float16).tobytes()
