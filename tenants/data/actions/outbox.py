"""The transactional outbox: task messages are written with a change and published after its commit."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from tenants.scope import Scope

# SKIP LOCKED lets several relays publish at the same time without sending a message twice.
_FETCH_PENDING = """
SELECT tenant_id, id, task, arguments::text FROM data_outbox WHERE published_at IS NULL
ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_MARK_PUBLISHED = "UPDATE data_outbox SET published_at = now() WHERE tenant_id = %s AND id = %s"
_DELETE_PUBLISHED = "DELETE FROM data_outbox WHERE published_at < now() - interval '1 day'"


class OutboxMessage(NamedTuple):
    """A message to a worker: a task name and ids, no tenant data."""

    tenant_id: UUID
    id: UUID
    task: str
    arguments: dict[str, Any]


def fetch_pending(s: Scope, *, limit: int = 200) -> list[OutboxMessage]:
    """Returns unpublished messages, oldest first, and locks them until the scope ends. Needs `data_ops`.

    Messages locked by another relay are skipped.
    """
    messages = []
    for tenant_id, message_id, task, arguments in s.cursor().execute(_FETCH_PENDING, (limit,)):
        messages.append(OutboxMessage(tenant_id, message_id, task, msgspec.json.decode(arguments)))
    return messages


def mark_published(s: Scope, message: OutboxMessage) -> None:
    """Marks a message after the broker accepted it: delivery is at least once, because a crash before repeats it."""
    s.cursor().execute(_MARK_PUBLISHED, (message.tenant_id, message.id))


def delete_published(s: Scope) -> int:
    """Deletes messages published more than a day ago. Returns their number."""
    return s.cursor().execute(_DELETE_PUBLISHED).rowcount
