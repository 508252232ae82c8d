from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from tenants.scope import Scope

_PAGE = """
SELECT id, at, actor_kind, actor_id, verb, subject, facts::text FROM data_auditentry
WHERE tenant_id = %s AND (%s::uuid IS NULL OR id < %s::uuid) ORDER BY id DESC LIMIT %s
"""


class DataAuditView(NamedTuple):
    id: UUID
    at: datetime
    actor_kind: str
    actor_id: str
    verb: str
    subject: str
    facts: dict[str, Any]


def list_entries(s: Scope, *, after: UUID | None = None, limit: int = 50) -> list[DataAuditView]:
    """Newest first; go on after the last id."""
    return [
        DataAuditView(*(*row[:6], msgspec.json.decode(row[6])))
        for row in s.cursor().execute(_PAGE, (s.tenant_id, after, after, limit))
    ]
