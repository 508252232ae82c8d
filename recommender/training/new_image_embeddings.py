"""Computes and stores embeddings of images that have none. Imports torch: for worker processes only."""

from __future__ import annotations

from collections.abc import Callable

from recommender.features.image_encoder import EfficientNetEncoder
from recommender.features.images import ENCODER_NAME
from recommender.tenant_data import image_embeddings
from tenants.data.actions.image_embeddings import record_image_embeddings
from tenants.data.queries import image_embeddings as stored_embeddings
from tenants.data.queries.image_embeddings import PendingImage
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

PAGE_SIZE = 64
# Stored for an image that cannot be decoded, so that it is not tried again.
UNREADABLE_IMAGE = b""


def ignore_fraction(_fraction: float) -> None:
    """The default of `on_progress`."""


def embed_new_images(
    tenant: TenantRef,
    *,
    actor: Actor,
    on_progress: Callable[[float], None] = ignore_fraction,
    max_images: int | None = None,
) -> int:
    """Stores an embedding for each live item's image that has none.

    Each page is committed, so what is done stays if this is interrupted.

    Args:
        tenant: the tenant.
        actor: recorded with each scope.
        on_progress: is called with the completed fraction, 0 to 1; an exception that it raises stops the work.
        max_images: stops after the page that reaches this number; None for all images.

    Returns:
        The number of images that were read.
    """
    with scope(tenant, actor=actor) as s:
        n_pending = stored_embeddings.count_pending(s, ENCODER_NAME)
        page = stored_embeddings.list_pending(s, ENCODER_NAME, limit=PAGE_SIZE)
    if not page:
        return 0
    encoder = EfficientNetEncoder()
    n_read = 0
    while page:
        vectors = _encode_images(encoder, page)
        with scope(tenant, actor=actor) as s:
            record_image_embeddings(
                s,
                ENCODER_NAME,
                page,
                vectors,
            )
            last_number = page[-1].item_no
            next_page = stored_embeddings.list_pending(
                s,
                ENCODER_NAME,
                after=last_number,
                limit=PAGE_SIZE,
            )
        n_read += len(page)
        on_progress(min(n_read / max(n_pending, 1), 1.0))
        if max_images is not None and n_read >= max_images:
            break
        page = next_page
    return n_read


def _encode_images(encoder: EfficientNetEncoder, page: list[PendingImage]) -> list[bytes]:
    """The stored form of each image's embedding, in the order of the page."""
    embeddings, unreadable = encoder.encode_images([image.content for image in page])
    # `embeddings` has rows for the readable images only.
    readable_embeddings = iter(embeddings)
    bodies: list[bytes] = []
    for index in range(len(page)):
        if index in unreadable:
            bodies.append(UNREADABLE_IMAGE)
        else:
            bodies.append(image_embeddings.to_bytes(next(readable_embeddings)))
    return bodies
