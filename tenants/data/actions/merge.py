"""Merging small chunks. A merge reads some chunks of a profile, deletes exactly those, and writes their union.

A chunk of 512 events is settled; ingest never writes one. A merge takes the small chunks and those settled ones that
reach into their time, so that afterwards chunks follow each other in time as their numbers do, and an event id that
came again late is found beside its first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from tenants.data import records
from tenants.data.actions import chunks
from tenants.data.actions.events import COUNTS
from tenants.data.queries import space, timeline
from tenants.data.records import CHUNK_EVENTS, Records
from tenants.data.types import EventKind
from tenants.scope import Scope

MERGE_AT_CHUNKS = 4
MOST_CHUNKS = 512
# When late events reach into more settled chunks than this, the settled ones stay as they are.
MOST_SETTLED = 64
# The newcomers must weigh half of the largest chunk, or be many: each event is rewritten a few times, not at every merge.
_CANDIDATES = """
SELECT profile_key FROM data_timeline WHERE tenant_id = %(tenant)s AND profile_key > %(after)b AND count < %(full)s
GROUP BY profile_key
HAVING sum(count) >= %(full)s OR count(*) >= 8 * %(many)s
    OR (count(*) >= %(many)s AND 2 * (sum(count) - max(count)) >= max(count))
ORDER BY profile_key LIMIT %(limit)s
"""
_READ = """
WITH small AS (
    SELECT seq, count, body, first_at FROM data_timeline
    WHERE tenant_id = %(tenant)s AND profile_key = %(profile)b AND count < %(full)s ORDER BY seq LIMIT %(limit)s
), settled AS (
    SELECT seq, count, body FROM data_timeline
    WHERE tenant_id = %(tenant)s AND profile_key = %(profile)b AND count >= %(full)s
      AND last_at >= (SELECT min(first_at) FROM small)
    ORDER BY seq DESC LIMIT %(settled)s + 1
)
SELECT seq, count, body FROM small
UNION ALL SELECT seq, count, body FROM settled WHERE (SELECT count(*) FROM settled) <= %(settled)s
ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """`repeats` events had an id that came before; `more` small chunks are waiting."""

    repeats: int
    more: bool


def merge_candidates(s: Scope, *, after: bytes = b"", limit: int = 500) -> list[bytes]:
    """Profiles whose small chunks are worth merging, in order of their keys, from beyond `after`."""
    given = {
        "tenant": s.tenant_id,
        "after": after,
        "full": CHUNK_EVENTS,
        "many": MERGE_AT_CHUNKS,
        "limit": limit,
    }
    return [bytes(row[0]) for row in s.cursor(binary=True).execute(_CANDIDATES, given)]


def merge_profile(s: Scope, profile_key: bytes) -> Merged:
    """Drops repeated events, whose days' counters are corrected in the same transaction, and what is too old.

    Raises Conflict, and changes nothing, when another merge or an erasure took one of the chunks meanwhile.
    """
    given = {"tenant": s.tenant_id, "profile": profile_key, "full": CHUNK_EVENTS}
    limits = {"limit": MOST_CHUNKS, "settled": MOST_SETTLED}
    rows = s.cursor(binary=True).execute(_READ, {**given, **limits}).fetchall()
    if len(rows) < 2:
        return Merged(0, more=False)
    everything = chunks.read(s, profile_key, rows)
    known = records.without_repeats(everything)
    state = space.state(s)
    kept = known[known["at"] >= chunks.earliest_ms(state)]
    chunks.replace(s, profile_key, [row[0] for row in rows], kept)
    _remember_seen(s, profile_key, kept, state.event_kinds)
    _correct_counters(s, everything, known, state.event_kinds)
    small = sum(row[1] < CHUNK_EVENTS for row in rows)
    return Merged(int(everything.size - known.size), more=small == MOST_CHUNKS)


def _remember_seen(s: Scope, profile_key: bytes, kept: Records, kinds: dict[str, EventKind]) -> None:
    row = s.cursor(binary=True).execute(timeline.SEEN, (s.tenant_id, profile_key)).fetchone()
    before = timeline.opened(s.ref, profile_key, [], row).seen
    chunks.write_seen(s, profile_key, np.union1d(before, chunks.met(kept, kinds.values())))


def _correct_counters(s: Scope, everything: Records, kept: Records, kinds: dict[str, EventKind]) -> None:
    surplus = _counted(everything)
    surplus.subtract(_counted(kept))
    rows = [(day, metric, kind, -n) for (day, metric, kind), n in surplus.items() if n]
    if not rows:
        return
    names = {kind.number: name for name, kind in kinds.items()}
    days = [str(np.datetime64(day, "D")) for day, *_ in rows]
    metrics, named = [row[1] for row in rows], [names[row[2]] for row in rows]
    s.cursor().execute(
        COUNTS, (s.tenant_id, days, metrics, named, [""] * len(rows), [row[3] for row in rows])
    )


def _counted(of: Records) -> Counter[tuple[int, str, int]]:
    """Events by day, metric and kind, as ingest counted them."""
    found: Counter[tuple[int, str, int]] = Counter()
    for metric, part in (("events", of), ("attributed", of[of["recommendation"] != 0])):
        days, kinds = (part["at"] // 86_400_000).tolist(), part["kind"].tolist()
        found.update((day, metric, kind) for day, kind in zip(days, kinds, strict=True))
    return found
