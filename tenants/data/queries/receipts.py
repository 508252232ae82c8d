from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.errors import NotFound
from tenants.keys.queries import keyring
from tenants.regions import TenantRef
from tenants.scope import Scope

_ONE = "SELECT body FROM data_receipt WHERE tenant_id = %s AND id = %s"
_LATEST = "SELECT id, body FROM data_receipt WHERE tenant_id = %s ORDER BY id DESC LIMIT %s"


def cipher(tenant: TenantRef) -> BoundCipher:
    return keyring(tenant).cipher(Purpose.RECEIPT, table="receipt", column="body")


def receipt(s: Scope, receipt_id: UUID) -> dict[str, Any]:
    """Raises NotFound; a foreign id is not found."""
    row = s.cursor(binary=True).execute(_ONE, (s.tenant_id, receipt_id)).fetchone()
    if row is None:
        raise NotFound("No recommendation has this id.")
    facts: dict[str, Any] = msgspec.json.decode(cipher(s.ref).open(row[0], receipt_id.bytes))
    return facts


def latest(s: Scope, *, limit: int = 5_000) -> Iterator[dict[str, Any]]:
    """Newest first; for coverage in reports."""
    for receipt_id, body in s.cursor(binary=True).execute(_LATEST, (s.tenant_id, limit)):
        yield msgspec.json.decode(cipher(s.ref).open(body, receipt_id.bytes))
