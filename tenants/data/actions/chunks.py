"""Rewriting chunks of many profiles at once: what merging and retention have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenants.data import records
from tenants.data.queries import timeline
from tenants.data.records import CHUNK_EVENTS, Records
from tenants.data.types import EventKind, SpaceState
from tenants.errors import Conflict
from tenants.scope import Scope

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('rewrite chunks ' || %s::text, 0))"
_DELETE = """
DELETE FROM data_timeline AS t USING unnest(%b::bytea[], %b::int8[]) AS gone (k, q)
WHERE t.tenant_id = %s AND t.profile_key = gone.k AND t.seq = gone.q
"""
_INSERT = """
INSERT INTO data_timeline (tenant_id, profile_key, seq, first_at, last_at, count, body)
SELECT %s, k, q, to_timestamp(f / 1000.0), to_timestamp(l / 1000.0), c, b
FROM unnest(%b::bytea[], %b::int8[], %b::int8[], %b::int8[], %b::int4[], %b::bytea[]) AS t(k, q, f, l, c, b)
"""
_UPSERT_SEEN_ITEMS = """
INSERT INTO data_seenitems (tenant_id, profile_key, body)
SELECT %s, k, b FROM unnest(%b::bytea[], %b::bytea[]) AS t(k, b)
ON CONFLICT (tenant_id, profile_key) DO UPDATE SET body = excluded.body
"""


class ProfileChunks(NamedTuple):
    """Chunks of one profile, by ascending number, and their events, oldest first."""

    profile_key: bytes
    seqs: list[int]
    events: Records


def lock_chunks(s: Scope) -> None:
    """One rewriter of a tenant's chunks at a time, until the transaction ends: two would wait for each other's rows."""
    s.cursor().execute(_LOCK, (s.tenant_id,))


def read_chunks(s: Scope, rows: list[tuple[Any, ...]]) -> Iterator[ProfileChunks]:
    """Opens rows of (profile key, seq, count, body), which are ordered by profile and number; repeats included.

    Raises Conflict when a chunk holds another number of events than its row says.
    """
    bodies = timeline.get_timeline_cipher(s.ref).open_many(
        [row[3] for row in rows], [records.encode_chunk_row_id(row[0], row[1]) for row in rows]
    )
    for key, group in groupby(zip(rows, bodies, strict=True), key=lambda pair: bytes(pair[0][0])):
        own = list(group)
        events = records.sort_by_time(records.join_records(body for _, body in own))
        if events.size != sum(row[2] for row, _ in own):
            raise Conflict("A chunk holds another number of events than its row says.")
        yield ProfileChunks(key, [row[1] for row, _ in own], events)


def replace_chunks(s: Scope, parts: Iterable[ProfileChunks]) -> None:
    """Writes each part's events in place of exactly its chunks. Full chunks first; the newest numbers are used again,
    so that later chunks stay behind them.

    Raises Conflict, and the transaction must end, when one of those chunks is gone.
    """
    parts = list(parts)
    keys = [part.profile_key for part in parts for _ in part.seqs]
    seqs = [seq for part in parts for seq in part.seqs]
    if s.cursor().execute(_DELETE, (keys, seqs, s.tenant_id)).rowcount != len(seqs):
        raise Conflict("These chunks changed while they were rewritten.")
    new = [row for part in parts for row in _split_into_chunks(part)]
    if not new:
        return
    keys, seqs, chunks = [row[0] for row in new], [row[1] for row in new], [row[2] for row in new]
    sealed = timeline.get_timeline_cipher(s.ref).seal_many(
        [chunk.tobytes() for chunk in chunks],
        [records.encode_chunk_row_id(k, q) for k, q in zip(keys, seqs, strict=True)],
    )
    first, last = [int(c["at"][0]) for c in chunks], [int(c["at"][-1]) for c in chunks]
    sizes = [int(chunk.size) for chunk in chunks]
    s.cursor().execute(_INSERT, (s.tenant_id, keys, seqs, first, last, sizes, sealed))


def _split_into_chunks(part: ProfileChunks) -> Iterator[tuple[bytes, int, Records]]:
    starts = range(0, part.events.size, CHUNK_EVENTS)
    numbers = part.seqs[len(part.seqs) - len(starts) :]
    for start, seq in zip(starts, numbers, strict=True):
        yield part.profile_key, seq, part.events[start : start + CHUNK_EVENTS]


def compute_cutoff_ms(state: SpaceState) -> int:
    """Unix milliseconds; what happened before is older than the tenant keeps."""
    kept_for = timedelta(days=state.privacy.event_retention_days)
    return int((datetime.now(UTC) - kept_for).timestamp() * 1000)


def find_seen_items(events: Records, kinds: Iterable[EventKind]) -> NDArray[np.uint32]:
    """Items that were chosen or disliked, ascending; what was only shown may be shown again."""
    ignored = [kind.number for kind in kinds if kind.weight == 0]
    found: NDArray[np.uint32] = np.unique(events["item"][~np.isin(events["kind"], ignored)])
    return found


def write_seen_items(s: Scope, seen_items: Mapping[bytes, NDArray[np.uint32]]) -> None:
    """Replaces the sets of seen items, ascending numbers by profile key."""
    keys = sorted(seen_items)
    sealed = timeline.get_seen_items_cipher(s.ref).seal_many(
        [seen_items[key].astype(np.uint32).tobytes() for key in keys], keys
    )
    s.cursor().execute(_UPSERT_SEEN_ITEMS, (s.tenant_id, keys, sealed))
