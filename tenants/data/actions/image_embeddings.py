from __future__ import annotations

from collections.abc import Sequence

from tenants import audit
from tenants.data.actions import catalog
from tenants.data.queries import image_embeddings
from tenants.data.queries.image_embeddings import PendingImage
from tenants.scope import Scope

# An image that was replaced or removed since it was read keeps no vector of what it showed before.
_PUT = """
INSERT INTO data_itemimageembedding (tenant_id, item_no, encoder, body)
SELECT g.tenant_id, g.item_no, %s, b
FROM unnest(%b::int4[], %b::timestamptz[], %b::bytea[]) AS t(n, a, b)
JOIN data_itemimage g ON g.tenant_id = %s AND g.item_no = t.n AND g.updated_at = t.a
ORDER BY g.item_no FOR SHARE OF g
ON CONFLICT (tenant_id, item_no) DO UPDATE SET encoder = excluded.encoder, body = excluded.body
"""


def record_image_embeddings(
    s: Scope, encoder: str, pending: Sequence[PendingImage], vectors: Sequence[bytes]
) -> int:
    """One vector for each image seen, empty where it cannot be read. Returns how many were still current.

    The items count as changed, so that serving reads the vectors of those that no model knows yet."""
    numbers = [one.item_no for one in pending]
    sealed = image_embeddings.get_embedding_cipher(s.ref).seal_many(
        vectors, [image_embeddings.encode_embedding_row_id(n, encoder) for n in numbers]
    )
    columns = (numbers, [one.stored_at for one in pending], sealed)
    stored = s.cursor().execute(_PUT, (encoder, *columns, s.tenant_id)).rowcount
    catalog.touch_items(s, numbers)
    audit.record_entry(s, "items.image_embeddings", "catalogue", count=stored)
    return stored
