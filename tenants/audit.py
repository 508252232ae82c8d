"""The audit log: one append-only row per recorded change, written in the transaction of the change."""

from __future__ import annotations

import json

import structlog
from uuid_utils.compat import uuid7

from tenants.regions import CONTROL
from tenants.scope import Scope

log = structlog.get_logger(__name__)

# Each plane has its own table: control_auditentry, data_auditentry and keys_auditentry.
_INSERT = """
INSERT INTO {table} (id, tenant_id, at, actor_kind, actor_id, verb, subject, facts)
VALUES (%s, %s, now(), %s, %s, %s, %s, %s::jsonb)
"""


def record_entry(s: Scope, verb: str, subject: str, **facts: str | int | float | bool | None) -> None:
    """Inserts an audit row into the plane of the scope, and logs the verb.

    Args:
        s: The open scope; names the actor and the tenant.
        verb: What was done, e.g. "profiles.upsert".
        subject: What it was done to.
        facts: Names of resources, counts and states; no personal data and no secrets.
    """
    plane = "control"
    if s.alias != CONTROL:
        # Aliases of regional planes are "data_<region>" and "keys_<region>".
        plane = s.alias.partition("_")[0]
    tenant = s.tenant.id if s.tenant else None
    s.cursor().execute(
        _INSERT.format(table=f"{plane}_auditentry"),
        (uuid7(), tenant, s.actor.kind, s.actor.id, verb, subject, json.dumps(facts)),
    )
    log.info(
        "audit",
        verb=verb,
        subject=subject,
        actor=str(s.actor),
        tenant=str(tenant),
    )
