"""Queries on recommendation receipts. Their ids are UUIDv7, so they are ordered by time."""

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
    """A receipt. `profile_key` is None for a recommendation without a profile."""

    id: UUID
    profile_key: bytes | None
    facts: dict[str, Any]

    @property
    def at_ms(self) -> int:
        """Unix milliseconds: the first 48 bits of a UUIDv7 (RFC 9562)."""
        return self.id.int >> 80


def get_receipt_cipher(tenant: TenantRef) -> BoundCipher:
    """Returns the cipher of receipts."""
    return get_keyring(tenant).get_cipher(Purpose.RECEIPT, table="receipt", column="body")


def get_receipt(s: Scope, receipt_id: UUID) -> dict[str, Any]:
    """Returns the facts of one receipt. Raises NotFound, also for an id of another tenant."""
    row = s.cursor(binary=True).execute(_GET, (s.tenant_id, receipt_id)).fetchone()
    if row is None:
        raise NotFound("No recommendation has this id.")
    facts: dict[str, Any] = msgspec.json.decode(get_receipt_cipher(s.ref).open(row[0], receipt_id.bytes))
    return facts


def iter_latest_receipts(s: Scope, *, limit: int = 5_000) -> Iterator[dict[str, Any]]:
    """Yields the facts of the newest receipts, newest first."""
    for receipt_id, body in s.cursor(binary=True).execute(_LATEST, (s.tenant_id, limit)):
        yield msgspec.json.decode(get_receipt_cipher(s.ref).open(body, receipt_id.bytes))


def list_receipts(
    s: Scope,
    since: datetime,
    before: UUID,
    *,
    limit: int = 5_000,
) -> list[StoredReceipt]:
    """Returns a page of receipts issued from `since` on with ids below `before`, newest first."""
    values = (s.tenant_id, to_min_receipt_id(since), before, limit)
    rows = s.cursor(binary=True).execute(_PAGE, values).fetchall()
    sealed = [body for _id, _key, body in rows]
    bodies = get_receipt_cipher(s.ref).open_many(
        sealed, [receipt_id.bytes for receipt_id, _key, _body in rows]
    )
    stored = []
    for (receipt_id, profile_key, _sealed), body in zip(rows, bodies, strict=True):
        receipt = StoredReceipt(
            id=receipt_id,
            profile_key=None if profile_key is None else bytes(profile_key),
            facts=msgspec.json.decode(body),
        )
        stored.append(receipt)
    return stored


def to_min_receipt_id(issued_at: datetime) -> UUID:
    """Returns the smallest id a receipt issued at this time can have."""
    return UUID(int=int(issued_at.timestamp() * 1000) << 80)


def hash_receipt_ids(tenant: TenantRef, ids: Sequence[UUID]) -> list[int]:
    """Returns the 64-bit keyed hashes by which event records refer to recommendations."""
    pseudonyms = get_keyring(tenant).derive_pseudonyms("recommendation", [str(identity) for identity in ids])
    # 0 stands for "no recommendation" in a record, so a hash of 0 becomes 1 (see event_batch._hash_ids).
    return [int.from_bytes(pseudonym[:8], "little") or 1 for pseudonym in pseudonyms]
