"""Merging small chunks. A merge reads some chunks of a profile, deletes exactly those, and writes their union."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tenants.data import records
from tenants.data.actions.events import COUNTS
from tenants.data.queries import space, timeline
from tenants.data.records import CHUNK_EVENTS, Records
from tenants.errors import Conflict
from tenants.scope import Scope

MERGE_AT_CHUNKS = 4
_CANDIDATES = """
SELECT profile_key FROM data_timeline WHERE tenant_id = %s AND count < %s
GROUP BY profile_key HAVING count(*) >= %s LIMIT %s
"""
_READ = """
SELECT seq, count, body FROM data_timeline WHERE tenant_id = %s AND profile_key = %b AND count < %s ORDER BY seq LIMIT 512
"""
_DELETE = "DELETE FROM data_timeline WHERE tenant_id = %s AND profile_key = %b AND seq = ANY(%b)"
_INSERT = """
INSERT INTO data_timeline (tenant_id, profile_key, seq, first_at, last_at, count, body)
VALUES (%s, %b, %s, to_timestamp(%s / 1000.0), to_timestamp(%s / 1000.0), %s, %s)
"""
_SEEN = """
INSERT INTO data_seenitems (tenant_id, profile_key, body) VALUES (%s, %b, %s)
ON CONFLICT (tenant_id, profile_key) DO UPDATE SET body = excluded.body
"""


def merge_candidates(s: Scope, *, limit: int = 500) -> list[bytes]:
    """Profiles with at least 4 chunks that are not full."""
    rows = s.cursor(binary=True).execute(_CANDIDATES, (s.tenant_id, CHUNK_EVENTS, MERGE_AT_CHUNKS, limit))
    return [bytes(row[0]) for row in rows]


def merge_profile(s: Scope, profile_key: bytes) -> int:
    """Returns how many repeated events were dropped; their days' counters are corrected in the same transaction.

    Raises Conflict, and changes nothing, when another merge or an erasure took one of the chunks meanwhile.
    """
    rows = s.cursor(binary=True).execute(_READ, (s.tenant_id, profile_key, CHUNK_EVENTS)).fetchall()
    if len(rows) < 2:
        return 0
    seqs = [row[0] for row in rows]
    bodies = timeline.cipher(s.ref).open_many(
        [r[2] for r in rows], [records.row_id(profile_key, q) for q in seqs]
    )
    everything = records.in_time_order(records.join(bodies))
    if everything.size != sum(row[1] for row in rows):
        raise Conflict("A chunk holds another number of events than its row says.")
    kept = records.without_repeats(everything)
    _replace(s, profile_key, seqs, kept)
    _remember_seen(s, profile_key, kept)
    _correct_counters(s, everything, kept)
    return int(everything.size - kept.size)


def _replace(s: Scope, profile_key: bytes, seqs: list[int], kept: Records) -> None:
    """Full chunks first; the newest numbers are used again, so later chunks stay behind them."""
    parts = [kept[start : start + CHUNK_EVENTS] for start in range(0, kept.size, CHUNK_EVENTS)]
    deleted = s.cursor().execute(_DELETE, (s.tenant_id, profile_key, seqs)).rowcount
    if deleted != len(seqs):
        raise Conflict("These chunks changed while they were merged.")
    for part, seq in zip(parts, seqs[-len(parts) :], strict=True):
        sealed = timeline.cipher(s.ref).seal(part.tobytes(), records.row_id(profile_key, seq))
        first, last = int(part["at"][0]), int(part["at"][-1])
        s.cursor().execute(_INSERT, (s.tenant_id, profile_key, seq, first, last, part.size, sealed))


def _remember_seen(s: Scope, profile_key: bytes, kept: Records) -> None:
    """What was chosen or disliked; what was only shown may be shown again."""
    ignored = [kind.number for kind in space.state(s).event_kinds.values() if kind.weight == 0]
    met = kept["item"][~np.isin(kept["kind"], ignored)]
    row = s.cursor(binary=True).execute(timeline.SEEN, (s.tenant_id, profile_key)).fetchone()
    before = timeline.opened(s.ref, profile_key, [], row).seen
    seen = np.union1d(before, met).astype(np.uint32)
    sealed = timeline.seen_cipher(s.ref).seal(seen.tobytes(), profile_key)
    s.cursor().execute(_SEEN, (s.tenant_id, profile_key, sealed))


def _correct_counters(s: Scope, everything: Records, kept: Records) -> None:
    surplus = Counter(_day_and_kind(everything)) - Counter(_day_and_kind(kept))
    if not surplus:
        return
    names = {kind.number: name for name, kind in space.state(s).event_kinds.items()}
    days = [str(np.datetime64(day, "D")) for day, _ in surplus]
    kinds = [names[kind] for _, kind in surplus]
    columns: tuple[Any, ...] = (
        days,
        ["events"] * len(days),
        kinds,
        [""] * len(days),
        [-n for n in surplus.values()],
    )
    s.cursor().execute(COUNTS, (s.tenant_id, *columns))


def _day_and_kind(of: Records) -> list[tuple[int, int]]:
    return list(zip((of["at"] // 86_400_000).tolist(), of["kind"].tolist(), strict=True))
