"""What a tenant stated beforehand: rules and triples, sealed like its catalogue."""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data.types import RuleInput, TripleInput
from tenants.keys.queries import keyring
from tenants.regions import TenantRef
from tenants.scope import Scope

Kind = Literal["rule", "triple"]
T = TypeVar("T", RuleInput, TripleInput)
_PAGE = """
SELECT key, body FROM data_statement WHERE tenant_id = %s AND kind = %s AND key > %b ORDER BY key LIMIT %s
"""
_COUNT = "SELECT count(*) FROM data_statement WHERE tenant_id = %s AND kind = %s"
_VERSION = "SELECT knowledge_version FROM data_tenantstate WHERE tenant_id = %s"
_ALL = 5_000


def cipher(tenant: TenantRef) -> BoundCipher:
    return keyring(tenant).cipher(Purpose.CATALOGUE, table="statement", column="body")


def row_id(kind: Kind, key: bytes) -> bytes:
    return kind.encode() + key


def version(s: Scope) -> int:
    """Grows with every change of rules or triples; 0 where nothing was ever stated."""
    row = s.cursor().execute(_VERSION, (s.tenant_id,)).fetchone()
    return int(row[0]) if row else 0


def count(s: Scope, kind: Kind) -> int:
    row = s.cursor().execute(_COUNT, (s.tenant_id, kind)).fetchone()
    return int(row[0]) if row else 0


def rules_page(s: Scope, *, after: bytes = b"", limit: int = 50) -> tuple[list[RuleInput], bytes | None]:
    """In no particular order that stays, and where to go on, or None at the end."""
    return _page(s, "rule", RuleInput, after, limit)


def triples_page(s: Scope, *, after: bytes = b"", limit: int = 50) -> tuple[list[TripleInput], bytes | None]:
    return _page(s, "triple", TripleInput, after, limit)


def rules(s: Scope) -> list[RuleInput]:
    return _every(s, "rule", RuleInput)


def triples(s: Scope) -> list[TripleInput]:
    return _every(s, "triple", TripleInput)


def _every(s: Scope, kind: Kind, of: type[T]) -> list[T]:
    found, after = [], b""
    while True:
        page, position = _page(s, kind, of, after, _ALL)
        found += page
        if position is None:
            return found
        after = position


def _page(s: Scope, kind: Kind, of: type[T], after: bytes, limit: int) -> tuple[list[T], bytes | None]:
    rows = s.cursor(binary=True).execute(_PAGE, (s.tenant_id, kind, after, limit + 1)).fetchall()
    keys = [bytes(row[0]) for row in rows[:limit]]
    bodies = cipher(s.ref).open_many([row[1] for row in rows[:limit]], [row_id(kind, key) for key in keys])
    found = [msgspec.json.decode(body, type=of) for body in bodies]
    return found, keys[-1] if len(rows) > limit else None
