"""Enforcement of the retention period: deletes old chunks, trims chunks that span the cutoff, updates derived data."""

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
# Chunks with events on both sides of the cutoff.
_BOUNDARY = """
SELECT profile_key, seq, count, body FROM data_timeline
WHERE tenant_id = %s AND profile_key = ANY(%b) AND first_at < %b AND last_at >= %b ORDER BY profile_key, seq
"""
# The join limits this to profiles that have a set of seen items; only these sets have to be recomputed.
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
# A receipt id is a UUIDv7: its first 48 bits (12 hexadecimal digits) are the time in Unix milliseconds.
_RECEIPTS = """
DELETE FROM data_receipt WHERE tenant_id = %s
AND id < (lpad(to_hex((extract(epoch FROM now() - interval '90 days') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
"""


def enforce_retention(tenant: TenantRef, *, actor: Actor) -> dict[str, int]:
    """Deletes data past its retention period. Returns deleted events (timeline) or rows (other tables) by table.

    Each page of profiles has its own transaction. The call is idempotent; after an interruption the next call
    continues.
    """
    dropped = Counter({"timeline": 0})
    has_more = True
    while has_more:
        with scope(tenant, actor=actor) as s:
            has_more = _drop_events(s, dropped)
    with scope(tenant, actor=actor) as s:
        for table, sql in (("batchdigest", _DIGESTS), ("idempotency", _IDEMPOTENCY), ("receipt", _RECEIPTS)):
            dropped[table] += s.cursor().execute(sql, (s.tenant_id,)).rowcount
        if dropped["timeline"] or dropped["receipt"]:
            audit.record_entry(s, "retention.enforce", "space", **dropped)
    return dict(dropped)


def _drop_events(s: Scope, dropped: Counter[str]) -> bool:
    """Processes one page of profiles with old events; adds to `dropped`. Returns whether there may be more profiles."""
    chunks.lock_chunks(s)
    state = tenant_state.get_state(s)
    cutoff = datetime.fromtimestamp(chunks.compute_cutoff_ms(state) / 1000, UTC)
    rows = s.cursor(binary=True).execute(_DUE, (s.tenant_id, cutoff, PAGE_SIZE))
    profile_keys = [bytes(key) for (key,) in rows]
    if not profile_keys:
        return False
    for (count,) in s.cursor().execute(_OLD, (s.tenant_id, profile_keys, cutoff)):
        dropped["timeline"] += count
    dropped["timeline"] += _trim_chunks(s, profile_keys, cutoff)
    s.cursor().execute(_UNSEEN, (s.tenant_id, profile_keys))
    _rebuild_seen_items(s, profile_keys, state)
    return len(profile_keys) == PAGE_SIZE


def _trim_chunks(s: Scope, profile_keys: list[bytes], cutoff: datetime) -> int:
    """Removes old events from chunks that span the cutoff. Returns their number."""
    parameters = (s.tenant_id, profile_keys, cutoff, cutoff)
    rows = s.cursor(binary=True).execute(_BOUNDARY, parameters).fetchall()
    cutoff_ms = int(cutoff.timestamp() * 1000)
    trimmed = []
    n_removed = 0
    for row in rows:
        # Each chunk is rewritten alone, so that it keeps its number and its position among the profile's chunks.
        for profile in chunks.read_chunks(s, [row]):
            remaining = profile.events[profile.events["at"] >= cutoff_ms]
            n_removed += profile.events.size - remaining.size
            trimmed.append(profile._replace(events=remaining))
    chunks.replace_chunks(s, trimmed)
    return n_removed


def _rebuild_seen_items(s: Scope, profile_keys: list[bytes], state: SpaceState) -> None:
    """Recomputes the sets of seen items from the remaining events, so that they contain no deleted ones."""
    rows = s.cursor(binary=True).execute(_REMAINING, (s.tenant_id, profile_keys)).fetchall()
    seen_items = {}
    for profile in chunks.read_chunks(s, rows):
        seen_items[profile.profile_key] = chunks.find_seen_items(profile.events, state.event_kinds.values())
    chunks.write_seen_items(s, seen_items)
