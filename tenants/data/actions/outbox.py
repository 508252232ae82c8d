from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from tenants.scope import Scope

_FETCH_PENDING = """
SELECT tenant_id, id, task, arguments::text FROM data_outbox WHERE published_at IS NULL
ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_MARK_PUBLISHED = "UPDATE data_outbox SET published_at = now() WHERE tenant_id = %s AND id = %s"
_DELETE_PUBLISHED = "DELETE FROM data_outbox WHERE published_at < now() - interval '1 day'"


class OutboxMessage(NamedTuple):
    """A task name and ids; never data."""

    tenant_id: UUID
    id: UUID
    task: str
    arguments: dict[str, Any]


def fetch_pending(s: Scope, *, limit: int = 200) -> list[OutboxMessage]:
    """Locked until the scope ends; other relays pass over them. Needs `data_ops`."""
    rows = s.cursor().execute(_FETCH_PENDING, (limit,))
    return [OutboxMessage(*(*row[:3], msgspec.json.decode(row[3]))) for row in rows]


def mark_published(s: Scope, message: OutboxMessage) -> None:
    """Call after the broker took it: a crash in between publishes twice, never not at all."""
    s.cursor().execute(_MARK_PUBLISHED, (message.tenant_id, message.id))


def delete_published(s: Scope) -> int:
    return s.cursor().execute(_DELETE_PUBLISHED).rowcount
