"""Queries on the audit log of the data plane."""

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
    """An entry of the data plane's audit log."""

    id: UUID
    at: datetime
    actor_kind: str
    actor_id: str
    verb: str
    subject: str
    facts: dict[str, Any]


def list_entries(s: Scope, *, after: UUID | None = None, limit: int = 50) -> list[DataAuditView]:
    """Returns entries, newest first; `after` is the id of the last entry of the previous page."""
    entries = []
    for row in s.cursor().execute(_PAGE, (s.tenant_id, after, after, limit)):
        entries.append(DataAuditView(*(*row[:6], msgspec.json.decode(row[6]))))
    return entries
