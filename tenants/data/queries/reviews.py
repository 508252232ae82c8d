from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data.queries import catalog
from tenants.data.types import ReviewInput, ReviewView
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_decoder = msgspec.json.Decoder(ReviewInput)
_PAGE = """
SELECT review_key, at, body FROM data_review
WHERE tenant_id = %s AND item_no = %s AND (at, review_key) < (%s, %b) ORDER BY at DESC, review_key DESC LIMIT %s
"""
_SCAN = """
SELECT review_key, item_no, profile_key, at, body FROM data_review
WHERE tenant_id = %s AND review_key > %b AND at >= %s ORDER BY review_key LIMIT %s
"""
_CUTOFF = "SELECT at FROM data_review WHERE tenant_id = %s ORDER BY at DESC OFFSET %s LIMIT 1"
_COUNT = "SELECT count(*) FROM data_review WHERE tenant_id = %s"


def get_review_cipher(tenant: TenantRef) -> BoundCipher:
    return get_keyring(tenant).get_cipher(Purpose.REVIEW, table="review", column="body")


def list_item_reviews(
    s: Scope, item_id: str, *, before: tuple[datetime, bytes] | None = None, limit: int = 50
) -> tuple[list[ReviewView], tuple[datetime, bytes] | None]:
    """Newest first, and where to go on, or None at the end. Raises NotFound for an unknown item."""
    number = catalog.get_item_no(s, item_id)
    at, key = before or (None, b"")
    sql = (
        _PAGE
        if before
        else _PAGE.replace("(at, review_key) < (%s, %b)", "(%s::timestamptz IS NULL AND %b = ''::bytea)")
    )
    rows = s.cursor(binary=True).execute(sql, (s.tenant_id, number, at, key, limit + 1)).fetchall()
    opened = get_review_cipher(s.ref).open_many(
        [row[2] for row in rows[:limit]], [bytes(row[0]) for row in rows[:limit]]
    )
    views = [ReviewView(_decoder.decode(body), row[1]) for row, body in zip(rows, opened, strict=False)]
    last = rows[limit - 1] if len(rows) > limit else None
    return views, (last[1], bytes(last[0])) if last else None


@dataclass(frozen=True, slots=True)
class StoredReview:
    """`profile_key` is None for a review of nobody known."""

    key: bytes
    item_no: int
    profile_key: bytes | None
    at: datetime
    review: ReviewInput


def scan_reviews(
    tenant: TenantRef, *, actor: Actor, max_reviews: int, page_size: int = 2_000
) -> Iterator[list[StoredReview]]:
    """About the newest `most` reviews, by key; all of a moment that several share are read or none of an older one.

    Each page is a transaction of its own; reviews that arrive or leave meanwhile may or may not be in it.
    """
    after, since = b"", None
    while True:
        with scope(tenant, actor=actor) as s:
            since = since or _find_cutoff(s, max_reviews)
            rows = s.cursor(binary=True).execute(_SCAN, (s.tenant_id, after, since, page_size)).fetchall()
        if not rows:
            return
        keys = [bytes(row[0]) for row in rows]
        after = keys[-1]
        bodies = get_review_cipher(tenant).open_many([row[4] for row in rows], keys)
        yield [
            StoredReview(
                key, row[1], None if row[2] is None else bytes(row[2]), row[3], _decoder.decode(body)
            )
            for key, row, body in zip(keys, rows, bodies, strict=True)
        ]


def _find_cutoff(s: Scope, max_reviews: int) -> datetime:
    row = s.cursor(binary=True).execute(_CUTOFF, (s.tenant_id, max_reviews - 1)).fetchone()
    return row[0] if row else _EPOCH


def count_reviews(s: Scope) -> int:
    row = s.cursor().execute(_COUNT, (s.tenant_id,)).fetchone()
    return int(row[0]) if row else 0
