"""Storing of image embeddings."""

from __future__ import annotations

from collections.abc import Sequence

from tenants import audit
from tenants.data.actions import catalog
from tenants.data.queries import image_embeddings
from tenants.data.queries.image_embeddings import PendingImage
from tenants.scope import Scope

# The join on updated_at drops embeddings of images that were replaced or removed after they were read.
_PUT = """
INSERT INTO data_itemimageembedding (tenant_id, item_no, encoder, body)
SELECT g.tenant_id, g.item_no, %s, b
FROM unnest(%b::int4[], %b::timestamptz[], %b::bytea[]) AS t(n, a, b)
JOIN data_itemimage g ON g.tenant_id = %s AND g.item_no = t.n AND g.updated_at = t.a
ORDER BY g.item_no FOR SHARE OF g
ON CONFLICT (tenant_id, item_no) DO UPDATE SET encoder = excluded.encoder, body = excluded.body
"""


def record_image_embeddings(
    s: Scope,
    encoder: str,
    pending: Sequence[PendingImage],
    vectors: Sequence[bytes],
) -> int:
    """Stores the embeddings of images.

    Args:
        s: The tenant's scope.
        encoder: Name of the image encoder.
        pending: The encoded images.
        vectors: For each image its serialized vector; empty if the image can't be decoded.

    Returns:
        The number of stored vectors; images that changed in the meantime are skipped.
    """
    numbers = [image.item_no for image in pending]
    times = [image.stored_at for image in pending]
    row_ids = [image_embeddings.encode_embedding_row_id(number, encoder) for number in numbers]
    sealed = image_embeddings.get_embedding_cipher(s.ref).seal_many(vectors, row_ids)
    stored = s.cursor().execute(_PUT, (encoder, numbers, times, sealed, s.tenant_id)).rowcount
    # A new catalogue version makes serving load the embeddings of items that are not in a model yet.
    catalog.touch_items(s, numbers)
    audit.record_entry(s, "items.image_embeddings", "catalogue", count=stored)
    return stored
