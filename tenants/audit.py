"""One line for every change that matters, in the transaction of the change, append-only."""

from __future__ import annotations

import json

import structlog
from uuid_utils.compat import uuid7

from tenants.regions import CONTROL
from tenants.scope import Scope

log = structlog.get_logger(__name__)

_INSERT = """
INSERT INTO {table} (id, tenant_id, at, actor_kind, actor_id, verb, subject, facts)
VALUES (%s, %s, now(), %s, %s, %s, %s, %s::jsonb)
"""


def record_entry(s: Scope, verb: str, subject: str, **facts: str | int | float | bool | None) -> None:
    """`facts` hold no personal data and no secret: names of things, counts and states."""
    plane = "control" if s.alias == CONTROL else s.alias.partition("_")[0]
    tenant = s.tenant.id if s.tenant else None
    s.cursor().execute(
        _INSERT.format(table=f"{plane}_auditentry"),
        (uuid7(), tenant, s.actor.kind, s.actor.id, verb, subject, json.dumps(facts)),
    )
    log.info("audit", verb=verb, subject=subject, actor=str(s.actor), tenant=str(tenant))
