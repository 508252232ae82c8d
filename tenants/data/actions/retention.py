from __future__ import annotations

from tenants import audit
from tenants.data.queries import space
from tenants.scope import Scope

_CHUNKS = """
DELETE FROM data_timeline WHERE tenant_id = %s AND last_at < now() - make_interval(days => %s)
"""
_DIGESTS = "DELETE FROM data_batchdigest WHERE tenant_id = %s AND at < now() - interval '1 day'"
_IDEMPOTENCY = "DELETE FROM data_idempotency WHERE tenant_id = %s AND created_at < now() - interval '1 day'"
_RECEIPTS = """
DELETE FROM data_receipt WHERE tenant_id = %s
AND id < (lpad(to_hex((extract(epoch FROM now() - interval '90 days') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
"""


def enforce_retention(s: Scope) -> dict[str, int]:
    """Drops what is older than the tenant keeps; returns rows dropped by table. Running it twice is no harm."""
    kept_for_days = space.state(s).privacy.events_kept_for_days
    dropped = {
        "timeline": s.cursor().execute(_CHUNKS, (s.tenant_id, kept_for_days)).rowcount,
        "batchdigest": s.cursor().execute(_DIGESTS, (s.tenant_id,)).rowcount,
        "idempotency": s.cursor().execute(_IDEMPOTENCY, (s.tenant_id,)).rowcount,
        "receipt": s.cursor().execute(_RECEIPTS, (s.tenant_id,)).rowcount,
    }
    if dropped["timeline"] or dropped["receipt"]:
        audit.record(s, "retention.enforce", "space", **dropped)
    return dropped
