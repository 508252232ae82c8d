"""Reading the timeline: one profile's tail to serve, everything by profile to train."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenants.crypto import Purpose
from tenants.crypto.aead import BoundCipher
from tenants.data import records
from tenants.data.records import Records
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tenants.scope import Actor, Scope, scope

TAIL = """
SELECT seq, body FROM (
    SELECT seq, body, sum(count) OVER (ORDER BY seq DESC) - count AS newer FROM (
        SELECT seq, count, body FROM data_timeline
        WHERE tenant_id = %(tenant)s AND profile_key = %(key)b ORDER BY seq DESC LIMIT 64
    ) AS latest
) AS counted WHERE newer < %(limit)s ORDER BY seq
"""
SEEN = "SELECT body FROM data_seenitems WHERE tenant_id = %(tenant)s AND profile_key = %(key)b"
_SCAN = """
SELECT profile_key, seq, body FROM data_timeline
WHERE tenant_id = %s AND profile_key > %b ORDER BY profile_key, seq LIMIT %s
"""
_BY_PROFILE = (
    "SELECT profile_key, seq, body FROM data_timeline WHERE tenant_id = %s AND profile_key = %b ORDER BY seq"
)
_RECENT = """
SELECT profile_key, seq, body FROM data_timeline
WHERE tenant_id = %s AND last_at >= %s AND (profile_key, seq) > (%b, %s) ORDER BY profile_key, seq LIMIT %s
"""
_TOTAL = "SELECT coalesce(sum(count), 0) FROM data_timeline WHERE tenant_id = %s"


ChunkRow = tuple[Any, ...]


class ProfileHistory(NamedTuple):
    """`events` are the newest of a profile, oldest first; `seen` are item numbers from before those, ascending."""

    events: Records
    seen: NDArray[np.uint32]


def get_timeline_cipher(tenant: TenantRef) -> BoundCipher:
    return get_keyring(tenant).get_cipher(Purpose.TIMELINE, table="timeline", column="body")


def get_seen_items_cipher(tenant: TenantRef) -> BoundCipher:
    return get_keyring(tenant).get_cipher(Purpose.TIMELINE, table="seenitems", column="body")


def load_history(s: Scope, profile_key: bytes, *, limit: int = records.CHUNK_EVENTS) -> ProfileHistory:
    """At least the newest `limit` events (all, when there are fewer), read from at most 64 chunks.

    A profile that was never seen has an empty history. Event ids that stand twice count once.
    """
    tail, seen = s.cursor(binary=True), s.cursor(binary=True)
    with tail.connection.pipeline():
        tail.execute(TAIL, {"tenant": s.tenant_id, "key": profile_key, "limit": limit}, prepare=True)
        seen.execute(SEEN, {"tenant": s.tenant_id, "key": profile_key}, prepare=True)
    return open_history(s.ref, profile_key, tail.fetchall(), seen.fetchone())


def open_history(
    tenant: TenantRef, profile_key: bytes, chunks: list[tuple[Any, ...]], seen: tuple[Any, ...] | None
) -> ProfileHistory:
    """The history in rows of `TAIL` and `SEEN`."""
    bodies = get_timeline_cipher(tenant).open_many(
        [c[1] for c in chunks], [records.encode_chunk_row_id(profile_key, c[0]) for c in chunks]
    )
    events = records.drop_repeats(records.sort_by_time(records.join_records(bodies)))
    if seen is None:
        return ProfileHistory(events, np.empty(0, np.uint32))
    return ProfileHistory(
        events, np.frombuffer(get_seen_items_cipher(tenant).open(seen[0], profile_key), np.uint32)
    )


def scan_histories(
    tenant: TenantRef, *, actor: Actor, page_size: int = 20_000
) -> Iterator[tuple[bytes, Records]]:
    """Every profile with its whole history, oldest first, by profile key.

    Each page is a transaction of its own, so a scan holds no snapshot and no lock; events that arrive meanwhile
    may or may not be in it. A profile is read by one statement: merging meanwhile neither hides nor doubles an event.
    Memory is bounded by `page` chunks and one profile's history.
    """
    after = b""
    while True:
        with scope(tenant, actor=actor) as s:
            rows = _fetch_profile_rows(s, after, page_size)
        if not rows:
            return
        after = bytes(rows[-1][0])
        bodies = get_timeline_cipher(tenant).open_many(
            [r[2] for r in rows], [records.encode_chunk_row_id(r[0], r[1]) for r in rows]
        )
        for key, group in groupby(zip(rows, bodies, strict=True), key=_get_profile_key):
            yield bytes(key), _join_chunks([body for _, body in group])


def scan_recent_chunks(
    tenant: TenantRef, since: datetime, *, actor: Actor, page_size: int = 20_000
) -> Iterator[tuple[bytes, Records]]:
    """Chunks with an event from `since` on, by profile key; a profile's chunks follow each other.

    Earlier events of those chunks are in it, and an event that was sent twice stands twice. Transactions as in `scan`.
    """
    after: tuple[bytes, int] = (b"", 0)
    while True:
        with scope(tenant, actor=actor) as s:
            rows = s.cursor(binary=True).execute(_RECENT, (s.tenant_id, since, *after, page_size)).fetchall()
        bodies = get_timeline_cipher(tenant).open_many(
            [r[2] for r in rows], [records.encode_chunk_row_id(r[0], r[1]) for r in rows]
        )
        for row, body in zip(rows, bodies, strict=True):
            yield bytes(row[0]), records.unpack_records(body)
        if len(rows) < page_size:
            return
        after = (bytes(rows[-1][0]), rows[-1][1])


def _fetch_profile_rows(s: Scope, after: bytes, page_size: int) -> list[ChunkRow]:
    """Chunks of whole profiles beyond `after`; the last one of a full page is left to the next, or read to its end."""
    rows = s.cursor(binary=True).execute(_SCAN, (s.tenant_id, after, page_size)).fetchall()
    if len(rows) < page_size:
        return rows
    whole = [row for row in rows if row[0] != rows[-1][0]]
    return whole or s.cursor(binary=True).execute(_BY_PROFILE, (s.tenant_id, rows[-1][0])).fetchall()


def _get_profile_key(chunk: tuple[ChunkRow, bytes]) -> bytes:
    key: bytes = chunk[0][0]
    return key


def _join_chunks(bodies: list[bytes]) -> Records:
    return records.drop_repeats(records.sort_by_time(records.join_records(bodies)))


def count_events(s: Scope) -> int:
    """Stored events; repeats that were not merged yet count."""
    row = s.cursor().execute(_TOTAL, (s.tenant_id,)).fetchone()
    return int(row[0]) if row else 0
