"""Queries on reviews."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

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
_FIRST_PAGE = """
SELECT review_key, at, body FROM data_review
WHERE tenant_id = %s AND item_no = %s ORDER BY at DESC, review_key DESC LIMIT %s
"""
_NEXT_PAGE = """
SELECT review_key, at, body FROM data_review
WHERE tenant_id = %s AND item_no = %s AND (at, review_key) < (%s, %b) ORDER BY at DESC, review_key DESC LIMIT %s
"""
_SCAN = """
SELECT review_key, item_no, profile_key, at, body FROM data_review
WHERE tenant_id = %s AND review_key > %b AND at >= %s ORDER BY review_key LIMIT %s
"""
# The time of the oldest of the newest reviews; no row if there are fewer.
_CUTOFF = "SELECT at FROM data_review WHERE tenant_id = %s ORDER BY at DESC OFFSET %s LIMIT 1"
_COUNT = "SELECT count(*) FROM data_review WHERE tenant_id = %s"


def get_review_cipher(tenant: TenantRef) -> BoundCipher:
    """Returns the cipher of reviews."""
    return get_keyring(tenant).get_cipher(Purpose.REVIEW, table="review", column="body")


def list_item_reviews(
    s: Scope,
    item_id: str,
    *,
    before: tuple[datetime, bytes] | None = None,
    limit: int = 50,
) -> tuple[list[ReviewView], tuple[datetime, bytes] | None]:
    """Returns a page of an item's reviews, newest first, and the cursor of the next page or None at the end.

    The cursor is (time, review key) of the last review. Raises NotFound for an unknown item.
    """
    number = catalog.get_item_no(s, item_id)
    cursor = s.cursor(binary=True)
    if before is None:
        rows = cursor.execute(_FIRST_PAGE, (s.tenant_id, number, limit + 1)).fetchall()
    else:
        rows = cursor.execute(_NEXT_PAGE, (s.tenant_id, number, *before, limit + 1)).fetchall()
    has_more = len(rows) > limit
    rows = rows[:limit]
    keys = [bytes(key) for key, _at, _body in rows]
    bodies = get_review_cipher(s.ref).open_many([body for _key, _at, body in rows], keys)
    views = []
    for (_key, at, _sealed), body in zip(rows, bodies, strict=True):
        views.append(ReviewView(_decoder.decode(body), at))
    if not has_more:
        return views, None
    return views, (rows[-1][1], keys[-1])


@dataclass(frozen=True, slots=True)
class StoredReview:
    """A review with its keys. `profile_key` is None for an anonymous review."""

    key: bytes
    item_no: int
    profile_key: bytes | None
    at: datetime
    review: ReviewInput


def scan_reviews(
    tenant: TenantRef,
    *,
    actor: Actor,
    max_reviews: int,
    page_size: int = 2_000,
) -> Iterator[list[StoredReview]]:
    """Yields pages of the newest reviews, ordered by key.

    The cutoff is the time of review number `max_reviews`. All reviews of that time are included, so there may be more
    than `max_reviews`. Each page has its own transaction; reviews written or deleted during the scan may be missing or
    included.
    """
    after = b""
    cutoff = None
    while True:
        with scope(tenant, actor=actor) as s:
            if cutoff is None:
                cutoff = _find_cutoff(s, max_reviews)
            rows = s.cursor(binary=True).execute(_SCAN, (s.tenant_id, after, cutoff, page_size)).fetchall()
        if not rows:
            return
        yield _open_reviews(tenant, rows)
        after = bytes(rows[-1][0])


def _open_reviews(tenant: TenantRef, rows: list[tuple[Any, ...]]) -> list[StoredReview]:
    """Opens rows of _SCAN."""
    keys = [bytes(row[0]) for row in rows]
    bodies = get_review_cipher(tenant).open_many([row[4] for row in rows], keys)
    stored = []
    for (_key, item_no, profile_key, at, _sealed), key, body in zip(rows, keys, bodies, strict=True):
        review = StoredReview(
            key=key,
            item_no=item_no,
            profile_key=None if profile_key is None else bytes(profile_key),
            at=at,
            review=_decoder.decode(body),
        )
        stored.append(review)
    return stored


def _find_cutoff(s: Scope, max_reviews: int) -> datetime:
    row = s.cursor(binary=True).execute(_CUTOFF, (s.tenant_id, max_reviews - 1)).fetchone()
    return row[0] if row else _EPOCH


def count_reviews(s: Scope) -> int:
    """Returns the number of stored reviews."""
    row = s.cursor().execute(_COUNT, (s.tenant_id,)).fetchone()
    return int(row[0]) if row else 0
