"""Vectors of item images, sealed like the items they belong to. What is inside them this plane does not read."""

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
    """An image without a vector; `stored_at` tells whether it is still the same one later."""

    item_no: int
    stored_at: datetime
    content: bytes


def get_embedding_cipher(tenant: TenantRef) -> BoundCipher:
    return get_keyring(tenant).get_cipher(Purpose.CATALOGUE, table="itemimageembedding", column="body")


def encode_embedding_row_id(item_no: int, encoder: str) -> bytes:
    return catalog.encode_item_row_id(item_no) + encoder.encode()


def list_pending(s: Scope, encoder: str, *, after: int = 0, limit: int = 32) -> list[PendingImage]:
    """Images of live items behind item number `after` that this encoder has not seen, by number."""
    rows = s.cursor(binary=True).execute(_PENDING, (s.tenant_id, after, encoder, limit)).fetchall()
    opener = get_keyring(s.ref).get_cipher(Purpose.CATALOGUE, table="itemimage", column="body")
    return [
        PendingImage(no, at, opener.open(body, images.encode_image_row_id(no, kind)))
        for no, at, kind, body in rows
    ]


def count_pending(s: Scope, encoder: str) -> int:
    row = s.cursor().execute(_COUNT_PENDING, (s.tenant_id, encoder)).fetchone()
    return int(row[0]) if row else 0


def load_embeddings(s: Scope, encoder: str, numbers: Sequence[int]) -> dict[int, bytes]:
    """The vectors there are, by item number; an empty one says that the image cannot be read."""
    rows = s.cursor(binary=True).execute(_BY_NUMBER, (s.tenant_id, encoder, list(numbers))).fetchall()
    opened = get_embedding_cipher(s.ref).open_many(
        [row[1] for row in rows], [encode_embedding_row_id(row[0], encoder) for row in rows]
    )
    return {row[0]: vector for row, vector in zip(rows, opened, strict=True)}
