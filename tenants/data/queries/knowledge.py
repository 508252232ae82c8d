"""What a tenant stated beforehand: rules and triples, sealed like its catalogue."""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data.types import RuleInput, TripleInput
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Scope

StatementKind = Literal["rule", "triple"]
InputT = TypeVar("InputT", RuleInput, TripleInput)
_PAGE = """
SELECT key, body FROM data_statement WHERE tenant_id = %s AND kind = %s AND key > %b ORDER BY key LIMIT %s
"""
_COUNT = "SELECT count(*) FROM data_statement WHERE tenant_id = %s AND kind = %s"
_VERSION = "SELECT knowledge_version FROM data_tenantstate WHERE tenant_id = %s"
_PAGE_SIZE = 5_000


def get_statement_cipher(tenant: TenantRef) -> BoundCipher:
    return get_keyring(tenant).get_cipher(Purpose.CATALOGUE, table="statement", column="body")


def encode_statement_row_id(kind: StatementKind, key: bytes) -> bytes:
    return kind.encode() + key


def get_version(s: Scope) -> int:
    """Grows with every change of rules or triples; 0 where nothing was ever stated."""
    row = s.cursor().execute(_VERSION, (s.tenant_id,)).fetchone()
    return int(row[0]) if row else 0


def count_statements(s: Scope, kind: StatementKind) -> int:
    row = s.cursor().execute(_COUNT, (s.tenant_id, kind)).fetchone()
    return int(row[0]) if row else 0


def list_rules(s: Scope, *, after: bytes = b"", limit: int = 50) -> tuple[list[RuleInput], bytes | None]:
    """In no particular order that stays, and where to go on, or None at the end."""
    return _load_page(s, "rule", RuleInput, after, limit)


def list_triples(s: Scope, *, after: bytes = b"", limit: int = 50) -> tuple[list[TripleInput], bytes | None]:
    return _load_page(s, "triple", TripleInput, after, limit)


def load_rules(s: Scope) -> list[RuleInput]:
    return _load_all(s, "rule", RuleInput)


def load_triples(s: Scope) -> list[TripleInput]:
    return _load_all(s, "triple", TripleInput)


def _load_all(s: Scope, kind: StatementKind, input_type: type[InputT]) -> list[InputT]:
    found, after = [], b""
    while True:
        page, position = _load_page(s, kind, input_type, after, _PAGE_SIZE)
        found += page
        if position is None:
            return found
        after = position


def _load_page(
    s: Scope, kind: StatementKind, input_type: type[InputT], after: bytes, limit: int
) -> tuple[list[InputT], bytes | None]:
    rows = s.cursor(binary=True).execute(_PAGE, (s.tenant_id, kind, after, limit + 1)).fetchall()
    keys = [bytes(row[0]) for row in rows[:limit]]
    bodies = get_statement_cipher(s.ref).open_many(
        [row[1] for row in rows[:limit]], [encode_statement_row_id(kind, key) for key in keys]
    )
    found = [msgspec.json.decode(body, type=input_type) for body in bodies]
    return found, keys[-1] if len(rows) > limit else None
