from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from tenants.scope import Scope

_WAITING = """
SELECT tenant_id, id, task, arguments::text FROM data_outbox WHERE published_at IS NULL
ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_DONE = "UPDATE data_outbox SET published_at = now() WHERE tenant_id = %s AND id = %s"
_CLEAN = "DELETE FROM data_outbox WHERE published_at < now() - interval '1 day'"


class Message(NamedTuple):
    """A task name and ids; never data."""

    tenant_id: UUID
    id: UUID
    task: str
    arguments: dict[str, Any]


def waiting(s: Scope, *, limit: int = 200) -> list[Message]:
    """Locked until the scope ends; other relays pass over them. Needs `data_ops`."""
    rows = s.cursor().execute(_WAITING, (limit,))
    return [Message(*(*row[:3], msgspec.json.decode(row[3]))) for row in rows]


def published(s: Scope, message: Message) -> None:
    """Call after the broker took it: a crash in between publishes twice, never not at all."""
    s.cursor().execute(_DONE, (message.tenant_id, message.id))


def clean(s: Scope) -> int:
    return s.cursor().execute(_CLEAN).rowcount
