from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.errors import NotFound
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Scope

_GET = "SELECT body FROM data_receipt WHERE tenant_id = %s AND id = %s"
_PAGE = """
SELECT id, profile_key, body FROM data_receipt
WHERE tenant_id = %s AND id >= %s AND id < %s ORDER BY id DESC LIMIT %s
"""
_LATEST = "SELECT id, body FROM data_receipt WHERE tenant_id = %s ORDER BY id DESC LIMIT %s"


class StoredReceipt(NamedTuple):
    """One receipt: its id, whom it answered (None for a stranger) and its facts."""

    id: UUID
    profile_key: bytes | None
    facts: dict[str, Any]

    @property
    def at_ms(self) -> int:
        """The first 48 bits of a UUIDv7 are milliseconds of Unix time."""
        return self.id.int >> 80


def get_receipt_cipher(tenant: TenantRef) -> BoundCipher:
    return get_keyring(tenant).get_cipher(Purpose.RECEIPT, table="receipt", column="body")


def get_receipt(s: Scope, receipt_id: UUID) -> dict[str, Any]:
    """Raises NotFound; a foreign id is not found."""
    row = s.cursor(binary=True).execute(_GET, (s.tenant_id, receipt_id)).fetchone()
    if row is None:
        raise NotFound("No recommendation has this id.")
    facts: dict[str, Any] = msgspec.json.decode(get_receipt_cipher(s.ref).open(row[0], receipt_id.bytes))
    return facts


def iter_latest_receipts(s: Scope, *, limit: int = 5_000) -> Iterator[dict[str, Any]]:
    """Newest first; for coverage in reports."""
    for receipt_id, body in s.cursor(binary=True).execute(_LATEST, (s.tenant_id, limit)):
        yield msgspec.json.decode(get_receipt_cipher(s.ref).open(body, receipt_id.bytes))


def list_receipts(s: Scope, since: datetime, before: UUID, *, limit: int = 5_000) -> list[StoredReceipt]:
    """Newest first, from `since` on and before that id; a page for streams over many."""
    values = (s.tenant_id, to_min_receipt_id(since), before, limit)
    rows = s.cursor(binary=True).execute(_PAGE, values).fetchall()
    bodies = get_receipt_cipher(s.ref).open_many([row[2] for row in rows], [row[0].bytes for row in rows])
    return [
        StoredReceipt(row[0], bytes(row[1]) if row[1] is not None else None, msgspec.json.decode(body))
        for row, body in zip(rows, bodies, strict=True)
    ]


def to_min_receipt_id(issued_at: datetime) -> UUID:
    """An id that every receipt from before `moment` precedes, and none of later."""
    return UUID(int=int(issued_at.timestamp() * 1000) << 80)


def hash_receipt_ids(tenant: TenantRef, ids: Sequence[UUID]) -> list[int]:
    """What event records keep of a recommendation's id: a 64-bit keyed hash."""
    found = get_keyring(tenant).derive_pseudonyms("recommendation", [str(one) for one in ids])
    return [int.from_bytes(one[:8], "little") or 1 for one in found]
