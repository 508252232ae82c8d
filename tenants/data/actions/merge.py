"""Merging of small chunks: reads some chunks of a profile, deletes exactly those, and writes the union of their events.

A chunk of 512 events is settled; ingest never writes one. A merge takes the small chunks and the settled chunks that
overlap them in time. Afterwards the chunks of a profile are ordered by time as by number, and an event id that was sent
again late is in the same rewrite as its first occurrence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tenants.common.time_units import DAY_MS
from tenants.data import records
from tenants.data.actions import chunks
from tenants.data.actions.chunks import ProfileChunks
from tenants.data.actions.counters import INSERT_COUNTS, CounterRows
from tenants.data.queries import tenant_state, timeline
from tenants.data.records import CHUNK_EVENTS, Records
from tenants.data.types import EventKind
from tenants.scope import Scope

MERGE_AT_CHUNKS = 4
MAX_CHUNKS = 512
# If late events overlap more settled chunks than this, the settled chunks are not rewritten.
MAX_FULL_CHUNKS = 64
MAX_PROFILES = 250
MAX_EVENTS = 100_000
# The other small chunks must have at least half as many events as the largest one, or be many. So an event is rewritten
# a logarithmic number of times, not at every merge.
_CANDIDATES = """
SELECT profile_key, sum(count)::int8 FROM data_timeline
WHERE tenant_id = %(tenant)s AND profile_key > %(after)b AND count < %(full)s
GROUP BY profile_key
HAVING sum(count) >= %(full)s OR count(*) >= 8 * %(many)s
    OR (count(*) >= %(many)s AND 2 * (sum(count) - max(count)) >= max(count))
ORDER BY profile_key LIMIT %(limit)s
"""
# LIMIT settled + 1 shows whether there are too many settled chunks; then none of them is read.
_READ = """
SELECT k, seq, count, body FROM unnest(%(keys)b::bytea[]) AS k CROSS JOIN LATERAL (
    WITH small AS (
        SELECT seq, count, body, first_at FROM data_timeline
        WHERE tenant_id = %(tenant)s AND profile_key = k AND count < %(full)s ORDER BY seq LIMIT %(max_small)s
    ), settled AS (
        SELECT seq, count, body FROM data_timeline
        WHERE tenant_id = %(tenant)s AND profile_key = k AND count >= %(full)s
          AND last_at >= (SELECT min(first_at) FROM small)
        ORDER BY seq DESC LIMIT %(max_settled)s + 1
    )
    SELECT seq, count, body FROM small
    UNION ALL SELECT seq, count, body FROM settled WHERE (SELECT count(*) FROM settled) <= %(max_settled)s
) AS chunk ORDER BY k, seq
"""
_SEEN = "SELECT profile_key, body FROM data_seenitems WHERE tenant_id = %s AND profile_key = ANY(%b)"


@dataclass(frozen=True, slots=True)
class MergeResult:
    """`repeats` is the number of dropped repeated events; `unfinished_keys` are profiles with further small chunks."""

    repeats: int
    unfinished_keys: tuple[bytes, ...]


def find_merge_candidates(s: Scope, *, after: bytes = b"") -> list[bytes]:
    """Returns profiles with enough small chunks to merge, ordered by key, beginning after the key `after`.

    At most 250, and only as many as can be merged in one transaction; empty if there are none.
    """
    parameters = {
        "tenant": s.tenant_id,
        "after": after,
        "full": CHUNK_EVENTS,
        "many": MERGE_AT_CHUNKS,
        "limit": MAX_PROFILES,
    }
    candidates = []
    n_events = 0
    for profile_key, profile_events in s.cursor(binary=True).execute(_CANDIDATES, parameters):
        # The limit applies to the events of the preceding profiles, so one large profile alone is a candidate.
        if n_events < MAX_EVENTS:
            candidates.append(bytes(profile_key))
        n_events += profile_events
    return candidates


def merge_profiles(s: Scope, profile_keys: Sequence[bytes]) -> MergeResult:
    """Merges the small chunks of the profiles; drops repeated events and events past the retention period.

    The daily counters of repeated events are corrected in the same transaction. Raises Conflict, and changes nothing,
    if an erasure deleted one of the chunks in the meantime.
    """
    chunks.lock_chunks(s)
    rows = _fetch_chunks(s, profile_keys)
    stored = [profile for profile in chunks.read_chunks(s, rows) if len(profile.seqs) > 1]
    if not stored:
        return MergeResult(0, ())
    state = tenant_state.get_state(s)
    unique = [profile._replace(events=records.drop_repeats(profile.events)) for profile in stored]
    cutoff_ms = chunks.compute_cutoff_ms(state)
    recent = [profile._replace(events=_drop_older(profile.events, cutoff_ms)) for profile in unique]
    chunks.replace_chunks(s, recent)
    _update_seen_items(s, recent, state.event_kinds)
    _update_counters(s, stored, unique, state.event_kinds)
    return MergeResult(
        repeats=_count_events(stored) - _count_events(unique),
        unfinished_keys=_find_unfinished_keys(rows),
    )


def _fetch_chunks(s: Scope, profile_keys: Sequence[bytes]) -> list[tuple[bytes, int, int, bytes]]:
    """Returns rows of (profile key, seq, count, sealed body), ordered by profile and seq."""
    parameters = {
        "tenant": s.tenant_id,
        "keys": sorted(profile_keys),
        "full": CHUNK_EVENTS,
        "max_small": MAX_CHUNKS,
        "max_settled": MAX_FULL_CHUNKS,
    }
    return s.cursor(binary=True).execute(_READ, parameters).fetchall()


def _find_unfinished_keys(rows: list[tuple[bytes, int, int, bytes]]) -> tuple[bytes, ...]:
    """Returns profiles whose small chunks reached the limit of one read."""
    n_small = Counter(bytes(key) for key, _seq, count, _body in rows if count < CHUNK_EVENTS)
    return tuple(key for key, count in n_small.items() if count == MAX_CHUNKS)


def _drop_older(events: Records, cutoff_ms: int) -> Records:
    remaining: Records = events[events["at"] >= cutoff_ms]
    return remaining


def _count_events(profiles: list[ProfileChunks]) -> int:
    return sum(profile.events.size for profile in profiles)


def _update_seen_items(s: Scope, profiles: list[ProfileChunks], kinds: dict[str, EventKind]) -> None:
    """Adds the items of the events to the stored sets of seen items."""
    keys = [profile.profile_key for profile in profiles]
    rows = s.cursor(binary=True).execute(_SEEN, (s.tenant_id, keys)).fetchall()
    stored_keys = [bytes(key) for key, _body in rows]
    bodies = timeline.get_seen_items_cipher(s.ref).open_many([body for _key, body in rows], stored_keys)
    stored_bodies = dict(zip(stored_keys, bodies, strict=True))
    seen_items = {}
    for profile in profiles:
        before = np.frombuffer(stored_bodies.get(profile.profile_key, b""), np.uint32)
        items = chunks.find_seen_items(profile.events, kinds.values())
        seen_items[profile.profile_key] = np.union1d(before, items)
    chunks.write_seen_items(s, seen_items)


def _update_counters(
    s: Scope,
    before: list[ProfileChunks],
    after: list[ProfileChunks],
    kinds: dict[str, EventKind],
) -> None:
    """Subtracts the events that are in `before` and not in `after` from the daily counters."""
    surplus: Counter[tuple[int, str, int]] = Counter()
    for profile_before, profile_after in zip(before, after, strict=True):
        if profile_before.events.size != profile_after.events.size:
            surplus.update(_iter_counted(profile_before.events))
            surplus.subtract(_iter_counted(profile_after.events))
    names = {kind.number: name for name, kind in kinds.items()}
    rows = CounterRows()
    for (day, metric, kind), count in surplus.items():
        if count:
            # Records do not hold the scenario; the correction is booked without one.
            rows.append(
                str(np.datetime64(day, "D")),
                metric,
                names[kind],
                "",
                -count,
            )
    if rows.counts:
        s.cursor().execute(INSERT_COUNTS, rows.to_parameters(s.tenant_id))


def _iter_counted(events: Records) -> Iterable[tuple[int, str, int]]:
    """Yields (day, metric, kind number) for each count that ingest added for the events."""
    for metric, counted in (("events", events), ("attributed", events[events["recommendation"] != 0])):
        days, kinds = (counted["at"] // DAY_MS).tolist(), counted["kind"].tolist()
        for day, kind in zip(days, kinds, strict=True):
            yield day, metric, kind
