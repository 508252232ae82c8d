"""Merging small chunks. A merge reads some chunks of a profile, deletes exactly those, and writes their union.

A chunk of 512 events is settled; ingest never writes one. A merge takes the small chunks and those settled ones that
reach into their time, so that afterwards chunks follow each other in time as their numbers do, and an event id that
came again late is found beside its first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tenants.data import records
from tenants.data.actions import chunks
from tenants.data.actions.chunks import ProfileChunks
from tenants.data.actions.events import INSERT_COUNTS
from tenants.data.queries import tenant_state, timeline
from tenants.data.records import CHUNK_EVENTS, Records
from tenants.data.types import EventKind
from tenants.scope import Scope

MERGE_AT_CHUNKS = 4
MAX_CHUNKS = 512
# When late events reach into more settled chunks than this, the settled ones stay as they are.
MAX_FULL_CHUNKS = 64
MAX_PROFILES = 250
MAX_EVENTS = 100_000
# The newcomers must weigh half of the largest chunk, or be many: each event is rewritten a few times, not at every merge.
_CANDIDATES = """
SELECT profile_key, sum(count)::int8 FROM data_timeline
WHERE tenant_id = %(tenant)s AND profile_key > %(after)b AND count < %(full)s
GROUP BY profile_key
HAVING sum(count) >= %(full)s OR count(*) >= 8 * %(many)s
    OR (count(*) >= %(many)s AND 2 * (sum(count) - max(count)) >= max(count))
ORDER BY profile_key LIMIT %(limit)s
"""
_READ = """
SELECT k, seq, count, body FROM unnest(%(keys)b::bytea[]) AS k CROSS JOIN LATERAL (
    WITH small AS (
        SELECT seq, count, body, first_at FROM data_timeline
        WHERE tenant_id = %(tenant)s AND profile_key = k AND count < %(full)s ORDER BY seq LIMIT %(most)s
    ), settled AS (
        SELECT seq, count, body FROM data_timeline
        WHERE tenant_id = %(tenant)s AND profile_key = k AND count >= %(full)s
          AND last_at >= (SELECT min(first_at) FROM small)
        ORDER BY seq DESC LIMIT %(settled)s + 1
    )
    SELECT seq, count, body FROM small
    UNION ALL SELECT seq, count, body FROM settled WHERE (SELECT count(*) FROM settled) <= %(settled)s
) AS chunk ORDER BY k, seq
"""
_SEEN = "SELECT profile_key, body FROM data_seenitems WHERE tenant_id = %s AND profile_key = ANY(%b)"


@dataclass(frozen=True, slots=True)
class MergeResult:
    """`repeats` events had an id that came before; profiles in `more` have further small chunks waiting."""

    repeats: int
    unfinished_keys: tuple[bytes, ...]


def find_merge_candidates(s: Scope, *, after: bytes = b"") -> list[bytes]:
    """Profiles whose small chunks are worth merging, in order of their keys, from beyond `after`.

    At most 250, and at most so many that they can be merged at once; empty when there are none.
    """
    given = {"tenant": s.tenant_id, "after": after, "full": CHUNK_EVENTS, "many": MERGE_AT_CHUNKS}
    rows = s.cursor(binary=True).execute(_CANDIDATES, {**given, "limit": MAX_PROFILES}).fetchall()
    before = np.cumsum([0, *(row[1] for row in rows)])[:-1]
    return [bytes(row[0]) for row, events in zip(rows, before, strict=True) if events < MAX_EVENTS]


def merge_profiles(s: Scope, profile_keys: Sequence[bytes]) -> MergeResult:
    """Drops repeated events, whose days' counters are corrected in the same transaction, and what is too old.

    Raises Conflict, and changes nothing, when an erasure took one of the chunks meanwhile.
    """
    chunks.lock_chunks(s)
    given = {"tenant": s.tenant_id, "keys": sorted(profile_keys), "full": CHUNK_EVENTS}
    limits = {"most": MAX_CHUNKS, "settled": MAX_FULL_CHUNKS}
    rows = s.cursor(binary=True).execute(_READ, {**given, **limits}).fetchall()
    small = Counter(bytes(row[0]) for row in rows if row[2] < CHUNK_EVENTS)
    parts = [part for part in chunks.read_chunks(s, rows) if len(part.seqs) > 1]
    if not parts:
        return MergeResult(0, ())
    state = tenant_state.get_state(s)
    known = [part._replace(events=records.drop_repeats(part.events)) for part in parts]
    earliest = chunks.compute_cutoff_ms(state)
    kept = [part._replace(events=part.events[part.events["at"] >= earliest]) for part in known]
    chunks.replace_chunks(s, kept)
    _update_seen_items(s, kept, state.event_kinds)
    _update_counters(s, parts, known, state.event_kinds)
    repeats = sum(part.events.size for part in parts) - sum(part.events.size for part in known)
    return MergeResult(repeats, tuple(key for key, count in small.items() if count == MAX_CHUNKS))


def _update_seen_items(s: Scope, parts: list[ProfileChunks], kinds: dict[str, EventKind]) -> None:
    keys = [part.profile_key for part in parts]
    rows = s.cursor(binary=True).execute(_SEEN, (s.tenant_id, keys)).fetchall()
    cipher = timeline.get_seen_items_cipher(s.ref)
    bodies = cipher.open_many([row[1] for row in rows], [bytes(row[0]) for row in rows])
    before = {bytes(row[0]): np.frombuffer(body, np.uint32) for row, body in zip(rows, bodies, strict=True)}
    nothing = np.empty(0, np.uint32)
    met = {part.profile_key: chunks.find_seen_items(part.events, kinds.values()) for part in parts}
    chunks.write_seen_items(
        s, {key: np.union1d(before.get(key, nothing), items) for key, items in met.items()}
    )


def _update_counters(
    s: Scope, before: list[ProfileChunks], after: list[ProfileChunks], kinds: dict[str, EventKind]
) -> None:
    surplus: Counter[tuple[int, str, int]] = Counter()
    for one, other in zip(before, after, strict=True):
        if one.events.size != other.events.size:
            surplus.update(_count_by_day(one.events))
            surplus.subtract(_count_by_day(other.events))
    rows = [(day, metric, kind, -n) for (day, metric, kind), n in surplus.items() if n]
    if not rows:
        return
    names = {kind.number: name for name, kind in kinds.items()}
    days = [str(np.datetime64(day, "D")) for day, *_ in rows]
    metrics, named = [row[1] for row in rows], [names[row[2]] for row in rows]
    s.cursor().execute(
        INSERT_COUNTS, (s.tenant_id, days, metrics, named, [""] * len(rows), [row[3] for row in rows])
    )


def _count_by_day(events: Records) -> Iterable[tuple[int, str, int]]:
    """Day, metric and kind of each event, as ingest counted them."""
    for metric, part in (("events", events), ("attributed", events[events["recommendation"] != 0])):
        days, kinds = (part["at"] // 86_400_000).tolist(), part["kind"].tolist()
        yield from ((day, metric, kind) for day, kind in zip(days, kinds, strict=True))
