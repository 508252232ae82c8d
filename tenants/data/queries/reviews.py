from __future__ import annotations

from datetime import datetime

import msgspec

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data.queries import catalog
from tenants.data.types import ReviewInput, ReviewView
from tenants.keys.queries import keyring
from tenants.regions import TenantRef
from tenants.scope import Scope

_decode = msgspec.json.Decoder(ReviewInput)
_PAGE = """
SELECT review_key, at, body FROM data_review
WHERE tenant_id = %s AND item_no = %s AND (at, review_key) < (%s, %b) ORDER BY at DESC, review_key DESC LIMIT %s
"""
_COUNT = "SELECT count(*) FROM data_review WHERE tenant_id = %s"


def cipher(tenant: TenantRef) -> BoundCipher:
    return keyring(tenant).cipher(Purpose.REVIEW, table="review", column="body")


def reviews_of_item(
    s: Scope, item_id: str, *, before: tuple[datetime, bytes] | None = None, limit: int = 50
) -> tuple[list[ReviewView], tuple[datetime, bytes] | None]:
    """Newest first, and where to go on, or None at the end. Raises NotFound for an unknown item."""
    number = catalog.item_no(s, item_id)
    at, key = before or (None, b"")
    sql = (
        _PAGE
        if before
        else _PAGE.replace("(at, review_key) < (%s, %b)", "(%s::timestamptz IS NULL AND %b = ''::bytea)")
    )
    rows = s.cursor(binary=True).execute(sql, (s.tenant_id, number, at, key, limit + 1)).fetchall()
    opened = cipher(s.ref).open_many(
        [row[2] for row in rows[:limit]], [bytes(row[0]) for row in rows[:limit]]
    )
    views = [ReviewView(_decode.decode(body), row[1]) for row, body in zip(rows, opened, strict=False)]
    last = rows[limit - 1] if len(rows) > limit else None
    return views, (last[1], bytes(last[0])) if last else None


def count(s: Scope) -> int:
    row = s.cursor().execute(_COUNT, (s.tenant_id,)).fetchone()
    return int(row[0]) if row else 0
