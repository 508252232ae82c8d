"""Vectors of item images, sealed like the items they belong to. What is inside them this plane does not read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data.queries import catalog, images
from tenants.keys.queries import keyring
from tenants.regions import TenantRef
from tenants.scope import Scope

_MISSING = """
SELECT g.item_no, g.updated_at, g.content_type, g.body FROM data_itemimage g
JOIN data_item i ON i.tenant_id = g.tenant_id AND i.item_no = g.item_no
LEFT JOIN data_itemlook l ON l.tenant_id = g.tenant_id AND l.item_no = g.item_no
WHERE g.tenant_id = %s AND g.item_no > %s AND i.live AND l.encoder IS DISTINCT FROM %s
ORDER BY g.item_no LIMIT %s
"""
_COUNT_MISSING = """
SELECT count(*) FROM data_itemimage g
JOIN data_item i ON i.tenant_id = g.tenant_id AND i.item_no = g.item_no
LEFT JOIN data_itemlook l ON l.tenant_id = g.tenant_id AND l.item_no = g.item_no
WHERE g.tenant_id = %s AND i.live AND l.encoder IS DISTINCT FROM %s
"""
_OF_ITEMS = """
SELECT item_no, body FROM data_itemlook WHERE tenant_id = %s AND encoder = %s AND item_no = ANY(%b)
"""


class Unseen(NamedTuple):
    """An image without a vector; `stored_at` tells whether it is still the same one later."""

    item_no: int
    stored_at: datetime
    content: bytes


def cipher(tenant: TenantRef) -> BoundCipher:
    return keyring(tenant).cipher(Purpose.CATALOGUE, table="itemlook", column="body")


def row_id(item_no: int, encoder: str) -> bytes:
    return catalog.row_id(item_no) + encoder.encode()


def unseen(s: Scope, encoder: str, *, after: int = 0, limit: int = 32) -> list[Unseen]:
    """Images of live items behind item number `after` that this encoder has not seen, by number."""
    rows = s.cursor(binary=True).execute(_MISSING, (s.tenant_id, after, encoder, limit)).fetchall()
    opener = keyring(s.ref).cipher(Purpose.CATALOGUE, table="itemimage", column="body")
    return [Unseen(no, at, opener.open(body, images.row_id(no, kind))) for no, at, kind, body in rows]


def count_unseen(s: Scope, encoder: str) -> int:
    row = s.cursor().execute(_COUNT_MISSING, (s.tenant_id, encoder)).fetchone()
    return int(row[0]) if row else 0


def of_items(s: Scope, encoder: str, numbers: Sequence[int]) -> dict[int, bytes]:
    """The vectors there are, by item number; an empty one says that the image cannot be read."""
    rows = s.cursor(binary=True).execute(_OF_ITEMS, (s.tenant_id, encoder, list(numbers))).fetchall()
    opened = cipher(s.ref).open_many([row[1] for row in rows], [row_id(row[0], encoder) for row in rows])
    return {row[0]: vector for row, vector in zip(rows, opened, strict=True)}
