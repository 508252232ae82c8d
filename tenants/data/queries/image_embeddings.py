"""Queries on image embeddings. They are opaque bytes here, sealed with the catalogue's key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data.queries import catalog, images
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Scope

_PENDING = """
SELECT g.item_no, g.updated_at, g.content_type, g.body FROM data_itemimage g
JOIN data_item i ON i.tenant_id = g.tenant_id AND i.item_no = g.item_no
LEFT JOIN data_itemimageembedding l ON l.tenant_id = g.tenant_id AND l.item_no = g.item_no
WHERE g.tenant_id = %s AND g.item_no > %s AND i.live AND l.encoder IS DISTINCT FROM %s
ORDER BY g.item_no LIMIT %s
"""
_COUNT_PENDING = """
SELECT count(*) FROM data_itemimage g
JOIN data_item i ON i.tenant_id = g.tenant_id AND i.item_no = g.item_no
LEFT JOIN data_itemimageembedding l ON l.tenant_id = g.tenant_id AND l.item_no = g.item_no
WHERE g.tenant_id = %s AND i.live AND l.encoder IS DISTINCT FROM %s
"""
_BY_NUMBER = """
SELECT item_no, body FROM data_itemimageembedding WHERE tenant_id = %s AND encoder = %s AND item_no = ANY(%b)
"""


class PendingImage(NamedTuple):
    """An image without an embedding. `stored_at` identifies this version of the image."""

    item_no: int
    stored_at: datetime
    content: bytes


def get_embedding_cipher(tenant: TenantRef) -> BoundCipher:
    """Returns the cipher of image embeddings."""
    return get_keyring(tenant).get_cipher(Purpose.CATALOGUE, table="itemimageembedding", column="body")


def encode_embedding_row_id(item_no: int, encoder: str) -> bytes:
    """Returns the row id that an embedding is bound to."""
    return catalog.encode_item_row_id(item_no) + encoder.encode()


def list_pending(
    s: Scope,
    encoder: str,
    *,
    after: int = 0,
    limit: int = 32,
) -> list[PendingImage]:
    """Returns images of live items without an embedding of `encoder`, by item number, beginning after `after`."""
    rows = s.cursor(binary=True).execute(_PENDING, (s.tenant_id, after, encoder, limit)).fetchall()
    cipher = get_keyring(s.ref).get_cipher(Purpose.CATALOGUE, table="itemimage", column="body")
    pending = []
    for item_no, stored_at, content_type, body in rows:
        content = cipher.open(body, images.encode_image_row_id(item_no, content_type))
        pending.append(PendingImage(item_no, stored_at, content))
    return pending


def count_pending(s: Scope, encoder: str) -> int:
    """Returns the number of images of live items without an embedding of `encoder`."""
    row = s.cursor().execute(_COUNT_PENDING, (s.tenant_id, encoder)).fetchone()
    return int(row[0]) if row else 0


def load_embeddings(s: Scope, encoder: str, numbers: Sequence[int]) -> dict[int, bytes]:
    """Returns the stored embeddings by item number; an empty one means that the image can't be decoded."""
    rows = s.cursor(binary=True).execute(_BY_NUMBER, (s.tenant_id, encoder, list(numbers))).fetchall()
    stored_numbers = [item_no for item_no, _body in rows]
    row_ids = [encode_embedding_row_id(item_no, encoder) for item_no in stored_numbers]
    embeddings = get_embedding_cipher(s.ref).open_many([body for _number, body in rows], row_ids)
    return dict(zip(stored_numbers, embeddings, strict=True))
