"""Rows of data_timeline: the INSERT of chunks (ingest), and rewriting the chunks of many profiles (merging, retention)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

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
# Parameters: ChunkRows.to_parameters.
INSERT_CHUNKS = """
INSERT INTO data_timeline (tenant_id, profile_key, seq, first_at, last_at, count, body)
SELECT %s, k, q, to_timestamp(f / 1000.0), to_timestamp(l / 1000.0), c, b
FROM unnest(%b::bytea[], %b::int8[], %b::int8[], %b::int8[], %b::int4[], %b::bytea[]) AS t(k, q, f, l, c, b)
"""
_UPSERT_SEEN_ITEMS = """
INSERT INTO data_seenitems (tenant_id, profile_key, body)
SELECT %s, k, b FROM unnest(%b::bytea[], %b::bytea[]) AS t(k, b)
ON CONFLICT (tenant_id, profile_key) DO UPDATE SET body = excluded.body
"""


@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
)
class ChunkRows:
    """Rows of data_timeline as columns. Times are those of the first and the last event, in Unix milliseconds."""

    profile_keys: list[bytes]
    seqs: list[int]
    first_ms: list[int]
    last_ms: list[int]
    counts: list[int]
    bodies: list[bytes]

    def to_parameters(self, tenant_id: UUID) -> tuple[object, ...]:
        """Returns the parameters of INSERT_CHUNKS."""
        return (
            tenant_id,
            self.profile_keys,
            self.seqs,
            self.first_ms,
            self.last_ms,
            self.counts,
            self.bodies,
        )


class ProfileChunks(NamedTuple):
    """The numbers of some chunks of one profile, ascending, and the events in them, oldest first."""

    profile_key: bytes
    seqs: list[int]
    events: Records


def lock_chunks(s: Scope) -> None:
    """Locks the tenant's chunks against other rewriters until the transaction ends; two of them could deadlock."""
    s.cursor().execute(_LOCK, (s.tenant_id,))


def read_chunks(s: Scope, rows: list[tuple[Any, ...]]) -> Iterator[ProfileChunks]:
    """Opens rows of (profile key, seq, count, body), ordered by profile and seq, and yields them by profile.

    Repeated events are included. Raises Conflict if a chunk does not hold `count` events.
    """
    sealed = [body for _key, _seq, _count, body in rows]
    row_ids = [records.encode_chunk_row_id(key, seq) for key, seq, _count, _body in rows]
    bodies = timeline.get_timeline_cipher(s.ref).open_many(sealed, row_ids)
    opened_rows = zip(rows, bodies, strict=True)
    for key, group in groupby(opened_rows, key=lambda opened_row: bytes(opened_row[0][0])):
        profile_rows = list(group)
        events = records.sort_by_time(records.join_records(body for _row, body in profile_rows))
        if events.size != sum(row[2] for row, _body in profile_rows):
            raise Conflict("A chunk holds another number of events than its row says.")
        yield ProfileChunks(key, [row[1] for row, _body in profile_rows], events)


def replace_chunks(s: Scope, rewritten: Iterable[ProfileChunks]) -> None:
    """Deletes exactly the chunks `seqs` of each profile and inserts chunks of its events.

    The new chunks are full but the last, and use the highest of the deleted numbers, so chunks that arrived later keep
    higher numbers. Raises Conflict if a chunk no longer exists; the transaction must end then.
    """
    rewritten = list(rewritten)
    keys, seqs = [], []
    for profile in rewritten:
        keys.extend([profile.profile_key] * len(profile.seqs))
        seqs.extend(profile.seqs)
    if s.cursor().execute(_DELETE, (keys, seqs, s.tenant_id)).rowcount != len(seqs):
        raise Conflict("These chunks changed while they were rewritten.")
    rows = _build_chunk_rows(s, rewritten)
    if rows.seqs:
        s.cursor().execute(INSERT_CHUNKS, rows.to_parameters(s.tenant_id))


def _build_chunk_rows(s: Scope, rewritten: list[ProfileChunks]) -> ChunkRows:
    profile_keys, seqs, chunks = [], [], []
    for profile in rewritten:
        starts = range(0, profile.events.size, CHUNK_EVENTS)
        new_seqs = profile.seqs[len(profile.seqs) - len(starts) :]
        for start, seq in zip(starts, new_seqs, strict=True):
            profile_keys.append(profile.profile_key)
            seqs.append(seq)
            chunks.append(profile.events[start : start + CHUNK_EVENTS])
    plaintexts = [chunk.tobytes() for chunk in chunks]
    row_ids = [records.encode_chunk_row_id(key, seq) for key, seq in zip(profile_keys, seqs, strict=True)]
    return ChunkRows(
        profile_keys=profile_keys,
        seqs=seqs,
        first_ms=[int(chunk["at"][0]) for chunk in chunks],
        last_ms=[int(chunk["at"][-1]) for chunk in chunks],
        counts=[int(chunk.size) for chunk in chunks],
        bodies=timeline.get_timeline_cipher(s.ref).seal_many(plaintexts, row_ids),
    )


def compute_cutoff_ms(state: SpaceState) -> int:
    """Returns the Unix milliseconds before which events are older than the tenant's retention period."""
    retention = timedelta(days=state.privacy.event_retention_days)
    return int((datetime.now(UTC) - retention).timestamp() * 1000)


def find_seen_items(events: Records, kinds: Iterable[EventKind]) -> NDArray[np.uint32]:
    """Returns the items of positive and negative events, ascending; items with impressions only may be shown again."""
    ignored_kinds = [kind.number for kind in kinds if kind.weight == 0]
    is_relevant = ~np.isin(events["kind"], ignored_kinds)
    items: NDArray[np.uint32] = np.unique(events["item"][is_relevant])
    return items


def write_seen_items(s: Scope, seen_items: Mapping[bytes, NDArray[np.uint32]]) -> None:
    """Replaces the stored sets of seen items: profile key -> ascending item numbers, stored as uint32."""
    keys = sorted(seen_items)
    plaintexts = [seen_items[key].astype(np.uint32).tobytes() for key in keys]
    sealed = timeline.get_seen_items_cipher(s.ref).seal_many(plaintexts, keys)
    s.cursor().execute(_UPSERT_SEEN_ITEMS, (s.tenant_id, keys, sealed))
