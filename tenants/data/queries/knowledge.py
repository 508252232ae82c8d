"""Queries on the tenant's rules and triples, which are sealed with the catalogue's key."""

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
    """Returns the cipher of rules and triples."""
    return get_keyring(tenant).get_cipher(Purpose.CATALOGUE, table="statement", column="body")


def encode_statement_row_id(kind: StatementKind, key: bytes) -> bytes:
    """Returns the row id that a rule or triple is bound to."""
    return kind.encode() + key


def get_version(s: Scope) -> int:
    """Returns the knowledge version. It grows with every change of rules and triples; initially 0."""
    row = s.cursor().execute(_VERSION, (s.tenant_id,)).fetchone()
    return int(row[0]) if row else 0


def count_statements(s: Scope, kind: StatementKind) -> int:
    """Returns the number of stored rules or triples."""
    row = s.cursor().execute(_COUNT, (s.tenant_id, kind)).fetchone()
    return int(row[0]) if row else 0


def list_rules(s: Scope, *, after: bytes = b"", limit: int = 50) -> tuple[list[RuleInput], bytes | None]:
    """Returns a page of rules, ordered by their keyed hash, and the cursor of the next page or None at the end."""
    return _load_page(
        s,
        "rule",
        RuleInput,
        after,
        limit,
    )


def list_triples(s: Scope, *, after: bytes = b"", limit: int = 50) -> tuple[list[TripleInput], bytes | None]:
    """Returns a page of triples, as `list_rules`."""
    return _load_page(
        s,
        "triple",
        TripleInput,
        after,
        limit,
    )


def load_rules(s: Scope) -> list[RuleInput]:
    """Returns all rules."""
    return _load_all(s, "rule", RuleInput)


def load_triples(s: Scope) -> list[TripleInput]:
    """Returns all triples."""
    return _load_all(s, "triple", TripleInput)


def _load_all(s: Scope, kind: StatementKind, input_type: type[InputT]) -> list[InputT]:
    statements: list[InputT] = []
    after: bytes | None = b""
    while after is not None:
        page, after = _load_page(
            s,
            kind,
            input_type,
            after,
            _PAGE_SIZE,
        )
        statements += page
    return statements


def _load_page(
    s: Scope,
    kind: StatementKind,
    input_type: type[InputT],
    after: bytes,
    limit: int,
) -> tuple[list[InputT], bytes | None]:
    rows = s.cursor(binary=True).execute(_PAGE, (s.tenant_id, kind, after, limit + 1)).fetchall()
    # One row more than the limit was fetched to see whether there is a next page.
    has_more = len(rows) > limit
    rows = rows[:limit]
    row_ids = [encode_statement_row_id(kind, bytes(key)) for key, _body in rows]
    bodies = get_statement_cipher(s.ref).open_many([body for _key, body in rows], row_ids)
    statements = [msgspec.json.decode(body, type=input_type) for body in bodies]
    if not has_more:
        return statements, None
    return statements, bytes(rows[-1][0])
