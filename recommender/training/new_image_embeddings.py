"""Looks at images that nobody looked at yet. Loads torch: worker processes only."""

from __future__ import annotations

from collections.abc import Callable

from recommender.features.image_encoder import EfficientNetEncoder
from recommender.features.images import ENCODER_NAME
from recommender.tenant_data import image_embeddings
from tenants.data.actions.image_embeddings import record_image_embeddings
from tenants.data.queries import image_embeddings as stored
from tenants.data.queries.image_embeddings import PendingImage
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

PAGE_SIZE = 64
UNREADABLE_IMAGE = b""


def embed_new_images(
    tenant: TenantRef,
    *,
    actor: Actor,
    on_progress: Callable[[float], None] = lambda _done: None,
    max_images: int | None = None,
) -> int:
    """Stores a vector for every image of a live item that has none, or for about `most` of them; `report` hears the
    fraction done.

    What is stored stays when this is stopped half-way. Returns how many images were looked at."""
    with scope(tenant, actor=actor) as s:
        total = stored.count_pending(s, ENCODER_NAME)
        page = stored.list_pending(s, ENCODER_NAME, limit=PAGE_SIZE)
    if not page:
        return 0
    encoder, seen = EfficientNetEncoder(), 0
    while page:
        vectors = _encode_images(encoder, page)
        with scope(tenant, actor=actor) as s:
            record_image_embeddings(s, ENCODER_NAME, page, vectors)
            following = stored.list_pending(s, ENCODER_NAME, after=page[-1].item_no, limit=PAGE_SIZE)
        seen += len(page)
        on_progress(min(seen / max(total, 1), 1.0))
        page = following if max_images is None or seen < max_images else []
    return seen


def _encode_images(encoder: EfficientNetEncoder, page: list[PendingImage]) -> list[bytes]:
    found, faulty = encoder.encode_images([one.content for one in page])
    rest = iter(found)
    unreadable = set(faulty)
    return [
        UNREADABLE_IMAGE if place in unreadable else image_embeddings.to_bytes(next(rest))
        for place in range(len(page))
    ]
