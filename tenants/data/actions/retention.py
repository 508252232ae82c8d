"""Dropping what is older than a tenant keeps: whole chunks, the old part of boundary chunks, and what was made of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from tenants import audit
from tenants.data.actions import chunks
from tenants.data.queries import tenant_state
from tenants.data.types import SpaceState
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

PAGE_SIZE = 500
_DUE = """
SELECT DISTINCT profile_key FROM data_timeline WHERE tenant_id = %s AND first_at < %b ORDER BY profile_key LIMIT %s
"""
_OLD = "DELETE FROM data_timeline WHERE tenant_id = %s AND profile_key = ANY(%b) AND last_at < %b RETURNING count"
_BOUNDARY = """
SELECT profile_key, seq, count, body FROM data_timeline
WHERE tenant_id = %s AND profile_key = ANY(%b) AND first_at < %b AND last_at >= %b ORDER BY profile_key, seq
"""
_REMAINING = """
SELECT t.profile_key, t.seq, t.count, t.body FROM data_timeline AS t
JOIN data_seenitems AS i USING (tenant_id, profile_key)
WHERE t.tenant_id = %s AND t.profile_key = ANY(%b) ORDER BY t.profile_key, t.seq
"""
_UNSEEN = """
DELETE FROM data_seenitems AS i WHERE tenant_id = %s AND profile_key = ANY(%b) AND NOT EXISTS (
    SELECT FROM data_timeline AS t WHERE t.tenant_id = i.tenant_id AND t.profile_key = i.profile_key)
"""
_DIGESTS = "DELETE FROM data_batchdigest WHERE tenant_id = %s AND at < now() - interval '1 day'"
_IDEMPOTENCY = "DELETE FROM data_idempotency WHERE tenant_id = %s AND created_at < now() - interval '1 day'"
_RECEIPTS = """
DELETE FROM data_receipt WHERE tenant_id = %s
AND id < (lpad(to_hex((extract(epoch FROM now() - interval '90 days') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
"""


def enforce_retention(tenant: TenantRef, *, actor: Actor) -> dict[str, int]:
    """Drops what is older than the tenant keeps; returns events or rows dropped by table.

    Profiles are taken by the hundred, each hundred in a transaction of its own: killed half-way, the rest is done by
    the next call. Running it twice is no harm.
    """
    dropped = Counter({"timeline": 0})
    full_page = True
    while full_page:
        with scope(tenant, actor=actor) as s:
            full_page = _drop_events(s, dropped)
    with scope(tenant, actor=actor) as s:
        for table, sql in (("batchdigest", _DIGESTS), ("idempotency", _IDEMPOTENCY), ("receipt", _RECEIPTS)):
            dropped[table] += s.cursor().execute(sql, (s.tenant_id,)).rowcount
        if dropped["timeline"] or dropped["receipt"]:
            audit.record_entry(s, "retention.enforce", "space", **dropped)
    return dict(dropped)


def _drop_events(s: Scope, dropped: Counter[str]) -> bool:
    """One page of profiles that have something too old; true when there may be more."""
    chunks.lock_chunks(s)
    state = tenant_state.get_state(s)
    earliest = datetime.fromtimestamp(chunks.compute_cutoff_ms(state) / 1000, UTC)
    due = [bytes(row[0]) for row in s.cursor(binary=True).execute(_DUE, (s.tenant_id, earliest, PAGE_SIZE))]
    if not due:
        return False
    dropped["timeline"] += sum(row[0] for row in s.cursor().execute(_OLD, (s.tenant_id, due, earliest)))
    dropped["timeline"] += _trim_chunks(s, due, earliest)
    s.cursor().execute(_UNSEEN, (s.tenant_id, due))
    _rebuild_seen_items(s, due, state)
    return len(due) == PAGE_SIZE


def _trim_chunks(s: Scope, profile_keys: list[bytes], earliest: datetime) -> int:
    """Takes the old events out of chunks that reach over the boundary; returns how many."""
    rows = (
        s.cursor(binary=True).execute(_BOUNDARY, (s.tenant_id, profile_keys, earliest, earliest)).fetchall()
    )
    # Each chunk by itself: it keeps its number, and its place among those that stay.
    parts = [part for row in rows for part in chunks.read_chunks(s, [row])]
    first = int(earliest.timestamp() * 1000)
    kept = [part._replace(events=part.events[part.events["at"] >= first]) for part in parts]
    chunks.replace_chunks(s, kept)
    return sum(part.events.size for part in parts) - sum(part.events.size for part in kept)


def _rebuild_seen_items(s: Scope, profile_keys: list[bytes], state: SpaceState) -> None:
    """The sets of seen items, from what is left: they must not remember events that are gone."""
    rows = s.cursor(binary=True).execute(_REMAINING, (s.tenant_id, profile_keys)).fetchall()
    kinds = state.event_kinds.values()
    chunks.write_seen_items(
        s,
        {
            part.profile_key: chunks.find_seen_items(part.events, kinds)
            for part in chunks.read_chunks(s, rows)
        },
    )
